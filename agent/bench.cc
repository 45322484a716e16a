#include "agent/bench.h"

#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <map>
#include <string>
#include <utility>

#include "agent/clock.h"
#include "agent/sampler.h"
#include "agent/scan.h"
#include "agent/session.h"
#include "virtseer/echo/codec.h"
#include "virtseer/version.h"

namespace virtseer::agent {
namespace {

constexpr int kRounds = 500;
/// Between two rounds, as the sources are told.
constexpr std::int64_t kIntervalMs = 5000;

double cpuMicroseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

/// Resident pages are the second number of /proc/self/statm.
std::uint64_t residentBytes() {
  const auto content = readFile("/proc/self/statm");
  if (!content) return 0;
  std::string_view line = *content;
  takeWord(line);
  return takeNumber(line).value_or(0) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

struct Figures {
  double us_per_round = 0;
  std::uint64_t resident_bytes = 0;
  std::size_t values = 0;
  double bytes_per_echo = 0;
  std::map<std::string, double> sources;  ///< microseconds per round
};

/// What sources cost is measured in rounds of their own: to look at the clock costs too.
Figures measure(const Config& config, const std::string& root) {
  Session session({1, kVersion, "production"});
  Sampler sampler(root, systemSources(config));
  std::int64_t now = monoMs();
  std::uint64_t bytes = 0;
  const auto round = [&] {
    now += kIntervalMs;
    const auto values = sampler.read(session.columns(), now, session.kept());
    session.receive(echo::encode(echo::Ack{1, session.push(now, values, sampler.report())}));
    bytes += session.lastBytes();
  };
  round();
  bytes = 0;
  Figures figures;
  const double before = cpuMicroseconds();
  for (int i = 0; i < kRounds; ++i) round();
  figures.us_per_round = (cpuMicroseconds() - before) / kRounds;
  figures.resident_bytes = residentBytes();
  figures.values = session.columns().size();
  figures.bytes_per_echo = static_cast<double>(bytes) / kRounds;
  sampler.measure(cpuMicroseconds);
  for (int i = 0; i < kRounds; ++i) round();
  for (const auto& [source, cost] : sampler.costs()) figures.sources[source] = cost / kRounds;
  return figures;
}

void printJson(const Figures& figures) {
  std::printf(
      "{\"cpu_us_per_round\":%.1f,\"rss_bytes\":%llu,\"values\":%zu,\"bytes_per_echo\":%.0f,"
      "\"sources\":{",
      figures.us_per_round, static_cast<unsigned long long>(figures.resident_bytes), figures.values,
      figures.bytes_per_echo);
  const char* separator = "";
  for (const auto& [source, cost] : figures.sources)
    std::printf("%s\"%s\":%.1f", std::exchange(separator, ","), source.c_str(), cost);
  std::printf("}}\n");
}

void printText(const Figures& figures, bool verbose) {
  std::printf("%.1f us of CPU per round, %llu bytes resident, %zu values, %.0f bytes per echo\n",
              figures.us_per_round, static_cast<unsigned long long>(figures.resident_bytes),
              figures.values, figures.bytes_per_echo);
  if (!verbose) return;
  for (const auto& [source, cost] : figures.sources)
    std::printf("  %-14s %8.1f us\n", source.c_str(), cost);
}

}  // namespace

int runBench(const Config& config, const std::string& root, BenchOutput output) {
  const Figures figures = measure(config, root);
  if (output.json)
    printJson(figures);
  else
    printText(figures, output.verbose);
  return 0;
}

}  // namespace virtseer::agent

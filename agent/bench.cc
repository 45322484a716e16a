#include "agent/bench.h"

#include <unistd.h>

#include <cstdio>
#include <ctime>

#include "agent/clock.h"
#include "agent/sampler.h"
#include "agent/scan.h"
#include "agent/session.h"
#include "virtseer/echo/codec.h"
#include "virtseer/version.h"

namespace virtseer::agent {
namespace {

constexpr int kRounds = 500;

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

}  // namespace

int runBench(const Config& config, const std::string& root, bool json) {
  Session session({1, kVersion, "production"});
  Sampler sampler(root, systemSources(config));
  const auto round = [&] {
    const auto now = monoMs();
    const auto values = sampler.read(session.columns(), now);
    session.receive(echo::encode(echo::Ack{1, session.push(now, values, sampler.report())}));
  };
  round();
  const double before = cpuMicroseconds();
  for (int i = 0; i < kRounds; ++i) round();
  const double each = (cpuMicroseconds() - before) / kRounds;
  const auto resident = static_cast<unsigned long long>(residentBytes());
  const std::size_t values = session.columns().size();
  std::printf(json ? "{\"cpu_us_per_round\":%.1f,\"rss_bytes\":%llu,\"values\":%zu}\n"
                   : "%.1f us of CPU per round, %llu bytes resident, %zu values\n",
              each, resident, values);
  return 0;
}

}  // namespace virtseer::agent

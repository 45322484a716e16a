#include "agent/bench.h"

#include <bpf/bpf.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "agent/clock.h"
#include "agent/sampler.h"
#include "agent/scan.h"
#include "agent/session.h"
#include "ebpf/run_time.h"
#include "virtseer/echo/codec.h"
#include "virtseer/version.h"

namespace virtseer::agent {
namespace {

constexpr int kRounds = 500;
/// Between two rounds, as the sources are told.
constexpr std::int64_t kIntervalMs = 5000;
/// Rounds with programs in the kernel, and what lies between them.
constexpr int kEbpfRounds = 10;
constexpr std::int64_t kEbpfIntervalMs = 1000;
constexpr int kLoadingMs = 120'000;
constexpr std::string_view kToldCost = "guest_ebpf_cost_seconds_total";

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

/// What the programs in the kernel add, measured in rounds that take their time: what they cost is
/// in what the machine does.
struct EbpfFigures {
  std::string state;  ///< "on", or why it is not, or what it lacks
  Figures agent;
  double programs_core_ratio = 0;  ///< of one core, as the kernel measures it
  double told_core_ratio = 0;      ///< the same, as the agent tells it, with all that goes with it
};

/// Reads every source and encodes what they say.
class Rounds {
 public:
  Rounds(const Config& config, const std::string& root)
      : session_({1, kVersion, "production"}), sampler_(root, systemSources(config)) {}

  Sampler& sampler() { return sampler_; }
  std::size_t values() { return session_.columns().size(); }
  std::uint64_t bytes() const { return bytes_; }
  /// The values of all series of this metric in the last round, added up.
  double sumOf(std::string_view metric) {
    double sum = 0;
    const auto names = session_.columns().names();
    for (std::size_t i = 0; i < names.size() && i < last_.size(); ++i)
      if (names[i].metric == metric && !std::isnan(last_[i])) sum += last_[i];
    return sum;
  }
  void next(std::int64_t now_ms) {
    const auto values = sampler_.read(session_.columns(), now_ms, session_.kept());
    last_ = values;
    session_.receive(echo::encode(echo::Ack{1, session_.push(now_ms, values, sampler_.report())}));
    bytes_ += session_.lastBytes();
  }

 private:
  Session session_;
  Sampler sampler_;
  std::span<const double> last_;
  std::uint64_t bytes_ = 0;
};

/// What sources cost is measured in rounds of their own: to look at the clock costs too.
Figures measure(const Config& config, const std::string& root) {
  Rounds rounds(config, root);
  std::int64_t now = monoMs();
  const auto run = [&] {
    for (int i = 0; i < kRounds; ++i) rounds.next(now += kIntervalMs);
  };
  rounds.next(now);
  const std::uint64_t bytes = rounds.bytes();
  Figures figures;
  const double before = cpuMicroseconds();
  run();
  figures.us_per_round = (cpuMicroseconds() - before) / kRounds;
  figures.resident_bytes = residentBytes();
  figures.values = rounds.values();
  figures.bytes_per_echo = static_cast<double>(rounds.bytes() - bytes) / kRounds;
  rounds.sampler().measure(cpuMicroseconds);
  run();
  for (const auto& [source, cost] : rounds.sampler().costs())
    figures.sources[source] = cost / kRounds;
  return figures;
}

/// Lets the sources do what they do between rounds.
void attendUntil(Sampler& sampler, std::int64_t until_ms) {
  for (std::int64_t now; (now = monoMs()) < until_ms;) {
    pollfd watched{sampler.eventFd(), POLLIN, 0};
    if (::poll(&watched, 1, static_cast<int>(until_ms - now)) > 0) sampler.attend();
  }
}

EbpfFigures measureEbpf(const Config& config, const std::string& root) {
  Rounds rounds(config, root);
  Sampler& sampler = rounds.sampler();
  const auto state = [&] { return sampler.states()["ebpf"]; };
  for (int i = 0; i < kLoadingMs / 100 && state().ends_with("being loaded"); ++i)
    attendUntil(sampler, monoMs() + 100);
  const Descriptor measuring(bpf_enable_stats(BPF_STATS_RUN_TIME));
  const auto run = [&](int count) {
    for (int i = 0; i < count; ++i) {
      attendUntil(sampler, monoMs() + kEbpfIntervalMs);
      rounds.next(monoMs());
    }
  };
  run(1);
  const std::uint64_t bytes = rounds.bytes();
  const double before = cpuMicroseconds();
  const double programs = ebpf::measuredProgramSeconds();
  const double told = rounds.sumOf(kToldCost);
  const std::int64_t start = monoMs();
  run(kEbpfRounds);
  const double seconds = static_cast<double>(monoMs() - start) / 1000;
  EbpfFigures figures;
  figures.state = state();
  figures.agent.us_per_round = (cpuMicroseconds() - before) / kEbpfRounds;
  figures.agent.resident_bytes = residentBytes();
  figures.agent.values = rounds.values();
  figures.agent.bytes_per_echo = static_cast<double>(rounds.bytes() - bytes) / kEbpfRounds;
  figures.programs_core_ratio = (ebpf::measuredProgramSeconds() - programs) / seconds;
  figures.told_core_ratio = (rounds.sumOf(kToldCost) - told) / seconds;
  return figures;
}

void printFigures(const Figures& figures) {
  std::printf("\"cpu_us_per_round\":%.1f,\"rss_bytes\":%llu,\"values\":%zu,\"bytes_per_echo\":%.0f",
              figures.us_per_round, static_cast<unsigned long long>(figures.resident_bytes),
              figures.values, figures.bytes_per_echo);
}

void printJson(const Figures& figures, const EbpfFigures& ebpf) {
  std::printf("{");
  printFigures(figures);
  std::printf(",\"sources\":{");
  const char* separator = "";
  for (const auto& [source, cost] : figures.sources)
    std::printf("%s\"%s\":%.1f", std::exchange(separator, ","), source.c_str(), cost);
  std::string state = ebpf.state;
  std::replace_if(state.begin(), state.end(), [](char c) { return c == '"' || c == '\\'; }, '\'');
  std::printf("},\"ebpf\":{\"state\":\"%s\",", state.c_str());
  printFigures(ebpf.agent);
  std::printf(",\"programs_core_ratio\":%.5f,\"told_core_ratio\":%.5f}}\n",
              ebpf.programs_core_ratio, ebpf.told_core_ratio);
}

void printText(const Figures& figures, const EbpfFigures& ebpf, bool verbose) {
  std::printf("%.1f us of CPU per round, %llu bytes resident, %zu values, %.0f bytes per echo\n",
              figures.us_per_round, static_cast<unsigned long long>(figures.resident_bytes),
              figures.values, figures.bytes_per_echo);
  if (verbose)
    for (const auto& [source, cost] : figures.sources)
      std::printf("  %-14s %8.1f us\n", source.c_str(), cost);
  std::printf("with eBPF (%s): %.1f us, %llu bytes, %zu values; programs: %.3f %% of a core\n",
              ebpf.state.c_str(), ebpf.agent.us_per_round,
              static_cast<unsigned long long>(ebpf.agent.resident_bytes), ebpf.agent.values,
              ebpf.programs_core_ratio * 100);
}

}  // namespace

int runBench(const Config& config, const std::string& root, BenchOutput output) {
  Config without = config;
  without.ebpf = false;
  const Figures figures = measure(without, root);
  const EbpfFigures ebpf = measureEbpf(config, root);
  if (output.json)
    printJson(figures, ebpf);
  else
    printText(figures, ebpf, output.verbose);
  return 0;
}

}  // namespace virtseer::agent

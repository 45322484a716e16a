#include "agent/load.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "agent/child.h"
#include "agent/file.h"
#include "agent/lab.h"
#include "agent/scan.h"

namespace virtseer::agent {
namespace {

/// Part of the available memory that a load may take.
constexpr double kMostMemory = 0.8;

std::optional<double> availableBytes(const std::string& root) {
  const auto content = readFile(root + "/proc/meminfo");
  if (!content) return std::nullopt;
  std::string_view rest = *content;
  while (!rest.empty()) {
    std::string_view line = takeLine(rest);
    if (takeWord(line) != "MemAvailable:") continue;
    if (const auto kib = takeNumber(line)) return static_cast<double>(*kib) * 1024;
  }
  return std::nullopt;
}

}  // namespace

LoadRunner::LoadRunner(Options options, std::atomic<std::uint64_t>& units)
    : options_(std::move(options)), units_(units) {}

echo::LoadState LoadRunner::order(const echo::Load& load) {
  echo::LoadState state{load.id, false, refusal(load)};
  if (!state.reason.empty()) return state;
  stop();
  start(load);
  state.accepted = true;
  return state;
}

/// Why a load is not taken on; empty where it is.
std::string LoadRunner::refusal(const echo::Load& load) const {
  if (!mayWork(options_.role)) return "the role of this guest is " + options_.role;
  const bool any = load.cpu_cores > 0 || load.memory_bytes > 0 || load.disk_bytes_per_second > 0;
  if (!any) return {};
  if (load.duration_ms == 0) return "a load needs a duration";
  const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
  if (!(load.cpu_cores >= 0 && load.cpu_cores <= static_cast<double>(cores)))
    return "the guest has " + std::to_string(cores) + " cores online";
  if (load.memory_bytes > 0) {
    const auto available = availableBytes(options_.root);
    if (!available) return "available memory cannot be read";
    // What the load that runs holds comes back before the next one starts.
    const double most = kMostMemory * (*available + static_cast<double>(memory_bytes_));
    if (static_cast<double>(load.memory_bytes) > most)
      return "memory is above 80 % of what is available";
  }
  if (load.disk_bytes_per_second > 0 && ::access(options_.directory.c_str(), W_OK) != 0)
    return "there is no " + options_.directory + " to write to";
  return {};
}

void LoadRunner::start(const echo::Load& load) {
  const Ramp ramp{load.ramp_ms / 1000.0, load.duration_ms / 1000.0};
  const auto workers = static_cast<int>(std::ceil(load.cpu_cores));
  for (int i = 0; i < workers; ++i)
    startChild([this, ramp, cores = load.cpu_cores / workers] { cpuWork(ramp, cores, units_); });
  if (load.memory_bytes > 0)
    startChild([ramp, bytes = load.memory_bytes] { memoryWork(ramp, bytes); });
  if (load.disk_bytes_per_second > 0)
    startChild([this, ramp, rate = load.disk_bytes_per_second] {
      diskWork(ramp, rate, options_.directory + "/load");
    });
  memory_bytes_ = load.memory_bytes;
}

template <typename Work>
void LoadRunner::startChild(Work work) {
  if (const pid_t child = forkChild(work); child > 0) children_.push_back(child);
}

void LoadRunner::stop() {
  for (const pid_t child : children_) endChild(child);
  children_.clear();
  memory_bytes_ = 0;
}

void LoadRunner::ended(pid_t child) {
  std::erase(children_, child);
  if (children_.empty()) memory_bytes_ = 0;
}

}  // namespace virtseer::agent

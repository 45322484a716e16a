#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/load_work.h"
#include "virtseer/echo/wire.h"

namespace virtseer::agent {

/// Carries out the loads that the daemon orders, in children, so that the agent stays small and a
/// child killed for its memory takes nothing with it. One load at a time.
class LoadRunner {
 public:
  struct Options {
    std::string role = "production";
    std::string root;                 ///< below which /proc/meminfo is read
    std::string directory = "/data";  ///< on the disk to be written to
  };

  /// `units` must be memory that children share, and outlive this.
  LoadRunner(Options options, std::atomic<std::uint64_t>& units);
  ~LoadRunner() { stop(); }
  LoadRunner(const LoadRunner&) = delete;
  LoadRunner& operator=(const LoadRunner&) = delete;

  /// Ends what runs and starts `load`; refused loads end nothing. All zero just ends what runs.
  echo::LoadState order(const echo::Load& load);
  void stop();
  /// Tells that this child was reaped; another's number does nothing.
  void ended(pid_t child);
  /// Children that run.
  std::size_t running() const { return children_.size(); }

 private:
  std::string refusal(const echo::Load& load) const;
  void start(const echo::Load& load);
  template <typename Work>
  void startChild(Work work);

  Options options_;
  std::atomic<std::uint64_t>& units_;
  std::vector<pid_t> children_;
  std::uint64_t memory_bytes_ = 0;  ///< of the load that runs
};

}  // namespace virtseer::agent

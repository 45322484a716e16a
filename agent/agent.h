#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/file.h"
#include "agent/lab.h"
#include "agent/load.h"
#include "agent/port.h"
#include "agent/sampler.h"
#include "agent/session.h"

namespace virtseer::agent {

/// The agent at work: one thread that waits for the port, its timers and signals, and nothing else.
class Agent {
 public:
  struct Options {
    Config config;
    std::string root;                 ///< of /proc and /sys; "" is the running system
    std::string directory = "/data";  ///< where lab guests write
  };

  /// Blocks SIGTERM, SIGINT, SIGCHLD and SIGPIPE of the calling process.
  explicit Agent(const Options& options);

  /// Runs until SIGTERM or SIGINT. Gives the process's exit code.
  int run();

 private:
  struct Waken {
    bool port = false;
    bool signal = false;
    bool sources = false;
  };

  Waken wait(std::int64_t until_ms);
  bool handleSignals();
  void openPort(std::int64_t now);
  void keepPort(std::int64_t now);
  void tell(const std::string& trouble);
  void callLater(std::int64_t now);
  bool watchPort(int how);
  void readPort();
  void writePort(std::int64_t now);
  void obey();
  void apply(const echo::Settings& settings);
  void tick(std::int64_t now);
  void sample(std::int64_t now);

  const Config config_;
  const std::string root_;
  std::string role_;
  std::uint32_t interval_ms_;
  LabPage page_;
  Session session_;
  Sampler sampler_;
  LoadRunner load_;
  DiskTicks disk_ticks_;
  std::unique_ptr<Port> port_;  ///< none before the first was opened
  bool wants_room_ = false;     ///< the port took no more when last written to
  Descriptor epoll_;
  Descriptor signals_;
  std::string last_trouble_;  ///< with the port; said once
  std::int64_t next_open_ms_ = 0;
  std::int64_t retry_ms_;                 ///< the next pause before the port is opened again
  std::int64_t ready_by_ms_ = INT64_MAX;  ///< a connection that is not made by then is given up
  std::int64_t next_echo_ms_ = 0;
  std::int64_t next_tick_ms_ = 0;
};

/// A random number from 1 to 2^48-1, for one run of the agent.
std::uint64_t newEpoch();

}  // namespace virtseer::agent

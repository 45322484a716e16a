#pragma once

#include <cstdint>
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
    std::string port;                 ///< as in Port
    std::string root;                 ///< of /proc and /sys; "" is the running system
    std::string directory = "/data";  ///< where lab guests write
    std::uint32_t interval_ms = 5000;
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
  bool watchPort(int how);
  void readPort();
  void writePort(std::int64_t now);
  void obey();
  void apply(const echo::Settings& settings);
  void tick(std::int64_t now);
  void sample(std::int64_t now);

  std::string role_;
  std::uint32_t interval_ms_;
  LabPage page_;
  Session session_;
  Sampler sampler_;
  LoadRunner load_;
  DiskTicks disk_ticks_;
  Port port_;
  bool wants_room_ = false;  ///< the port took no more when last written to
  Descriptor epoll_;
  Descriptor signals_;
  std::string last_port_error_;
  std::int64_t next_open_ms_ = 0;
  std::int64_t next_echo_ms_ = 0;
  std::int64_t next_tick_ms_ = 0;
};

/// A random number from 1 to 2^48-1, for one run of the agent.
std::uint64_t newEpoch();

}  // namespace virtseer::agent

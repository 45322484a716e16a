#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "agent/source.h"

namespace virtseer::agent {

/// What the hypervisor says this guest is (fw_cfg key echo::kRoleKey): "production" where it says
/// nothing or nothing that is known.
std::string readRole(const std::string& root);

/// Whether synthetic work may run here.
inline bool mayWork(const std::string& role) {
  return role == "lab" || role == "shadow";
}

/// Counters that the agent shares with its children.
struct LabCounters {
  std::atomic<std::uint64_t> ticks{0};       ///< tenths of a second in which the agent ran
  std::atomic<std::uint64_t> disk_ticks{0};  ///< the value of `ticks` that is safe on the disk
  std::atomic<bool> has_disk{false};         ///< whether disk_ticks means anything
  std::atomic<std::uint64_t> work_units{0};  ///< finished by cpu workers since the agent's start
};

/// Owns a page that forked children share.
class LabPage {
 public:
  LabPage();
  ~LabPage();
  LabPage(const LabPage&) = delete;
  LabPage& operator=(const LabPage&) = delete;

  LabCounters& counters() { return *counters_; }

 private:
  LabCounters* counters_;
};

/// Writes the tick counter to DIRECTORY/ticks with fdatasync, once a second, in a child: a disk
/// that hangs does not hold up the echoes. After a boot the counter goes on from the value found
/// there.
class DiskTicks {
 public:
  DiskTicks(std::string directory, LabCounters& counters);
  ~DiskTicks();
  DiskTicks(const DiskTicks&) = delete;
  DiskTicks& operator=(const DiskTicks&) = delete;

  /// Starts the child if the directory is there and no child runs.
  void ensure();
  /// Tells that this child was reaped; another's number does nothing.
  void ended(pid_t child);

 private:
  [[noreturn]] void run(int fd);

  std::string file_;
  std::string directory_;
  LabCounters& counters_;
  pid_t child_ = 0;
  bool found_ = false;
};

/// `guest_ticks_total`, `guest_disk_ticks_total` and `guest_work_units_total`.
SourcePointer makeLabSource(LabCounters& counters);

}  // namespace virtseer::agent

#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/columns.h"
#include "agent/file.h"

namespace virtseer::agent {

/// What a source works on while it reads.
struct Round {
  Columns& columns;
  Row& row;
  Scratch& scratch;
};

/// One thing the agent can tell. To add one: a file under sources/, its maker below, a line in
/// `systemSources`. A value that could not be read stays missing; it is never written as 0.
class Source {
 public:
  virtual ~Source() = default;

  /// The name it is switched on and off by.
  virtual std::string_view name() const = 0;
  /// Opens what it reads, below `root` ("" is the running system). Failure: why the source is off.
  virtual std::expected<void, std::string> open(const std::string& root) = 0;
  /// Sets this round's values; adds columns where devices are new.
  virtual void read(Round& round) = 0;
};

using SourcePointer = std::unique_ptr<Source>;

SourcePointer makeCpuSource();       ///< /proc/stat: time per core and mode, runnable, blocked
SourcePointer makeMemorySource();    ///< /proc/meminfo and /proc/vmstat
SourcePointer makeDiskSource();      ///< /proc/diskstats, whole disks
SourcePointer makeNetworkSource();   ///< /proc/net/dev, without loopback
SourcePointer makePressureSource();  ///< /proc/pressure: stall times
SourcePointer makeLoadSource();      ///< /proc/loadavg and /proc/uptime
SourcePointer makeAgentSource();     ///< what the agent itself costs

/// All of the above, in the order of their columns.
std::vector<SourcePointer> systemSources();

}  // namespace virtseer::agent

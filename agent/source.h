#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/columns.h"
#include "agent/config.h"
#include "agent/file.h"
#include "agent/report_builder.h"

namespace virtseer::agent {

/// What a source works on while it reads.
struct Round {
  Columns& columns;
  Row& row;
  Scratch& scratch;
  ReportBuilder& report;
  std::int64_t now_ms = 0;      ///< the monotonic clock
  std::size_t echoes_kept = 0;  ///< that the host has not stored yet
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

  /// A descriptor that becomes readable when `attend` should be called between rounds, the same
  /// from `open` on (an epoll instance, where there are several); -1: none.
  virtual int eventFd() const { return -1; }
  /// Takes what waits at `eventFd`; never blocks, and takes a bounded amount at a time.
  virtual void attend() {}
  /// Between two rounds nothing is asked of a source that was switched off; it closes what it holds
  /// open and stops what it runs, until it is switched on again.
  virtual void select(bool on) { (void)on; }
  /// How many processes and the like a table should hold at most.
  virtual void setTop(std::size_t top) { (void)top; }
  /// Why it works only in part, or not at all for now; empty: it works. May change over time.
  virtual std::string trouble() const { return {}; }
};

using SourcePointer = std::unique_ptr<Source>;

SourcePointer makeCpuSource();         ///< /proc/stat: time per core and mode, runnable, blocked
SourcePointer makeMemorySource();      ///< /proc/meminfo and /proc/vmstat
SourcePointer makeDiskSource();        ///< /proc/diskstats, whole disks
SourcePointer makeFilesystemSource();  ///< room on the file systems of local disks
SourcePointer makeNetworkSource();     ///< /proc/net/dev, without loopback
SourcePointer makeTcpSource();         ///< /proc/net/snmp, netstat, sockstat: TCP and UDP
SourcePointer makeSocketSource();      ///< sock_diag: TCP connections, peers, listeners
SourcePointer makePressureSource();    ///< /proc/pressure: stall times
SourcePointer makeLoadSource();        ///< /proc/loadavg and /proc/uptime
SourcePointer makeAgentSource();       ///< what the agent itself costs

/// /proc/PID: the processes that use most, use by unit, what began and ended.
SourcePointer makeProcessesSource();
/// Journal, or syslog and /dev/kmsg: warnings, errors, crashes.
SourcePointer makeLogSource();
/// Pages of metrics of applications in this guest.
SourcePointer makeScrapeSource(const Config& config);
/// What applications in this guest send to a socket in StatsD's format.
SourcePointer makeStatsdSource(const Config& config);
/// Programs in the kernel: system calls, waiting for processors and disks, connections, requests to
/// services, calls of named functions.
/// `avoided`: programs to do without, as if the kernel had refused them; for tests.
SourcePointer makeEbpfSource(const Config& config, std::vector<std::string> avoided = {});

/// All of the above, in the order of their columns, as far as `config` wants them.
std::vector<SourcePointer> systemSources(const Config& config = {});

}  // namespace virtseer::agent

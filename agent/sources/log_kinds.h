#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/sources/log_entry.h"

namespace virtseer::agent {

enum class LogKind : std::uint8_t {
  log,  ///< nothing that is known more closely
  oom_kill,
  crash,
  kernel_fault,
  unit_failed,
  unit_restarted,
  io_error,
  filesystem_error
};
inline constexpr std::size_t kLogKinds = 8;

/// "guest.oom_kill" and the like.
std::string_view nameOf(LogKind kind);

/// What an entry tells. The texts are parts of the entry; empty: not told.
struct Finding {
  LogKind kind = LogKind::log;
  std::string_view process;
  std::string_view pid;
  std::string_view unit;
  std::string_view signal;
  std::string_view result;
  std::string_view restarts;
  std::string_view device;
  std::optional<std::uint64_t> rss_bytes;
  /// Lines about it follow, of no use one by one: registers, stacks, tables of memory.
  bool begins_dump = false;
  /// Worth nothing but as the beginning of such lines.
  bool only_begins = false;
  /// Only the next line of a fault, if one was told just before.
  bool may_go_on = false;
};

/// Knows the messages of Linux 3.10 to 6.x (mm/oom_kill.c, arch/x86/mm/fault.c, traps.c,
/// kernel/hung_task.c, block/blk-core.c, fs/) and of systemd (service.c, coredump). The kernel's
/// count only where the kernel wrote them, those of systemd only from process 1.
Finding examine(const LogEntry& entry);

/// The unit of "oom-kill:...,task_memcg=/system.slice/a.service,task=a,pid=1,uid=0", which the
/// kernel writes just before it tells whom it killed; nothing for other messages.
std::string_view oomUnit(std::string_view message);

}  // namespace virtseer::agent

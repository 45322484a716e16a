#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace virtseer::agent {

/// Syslog's priorities (RFC 5424, 6.2.1), as far as they matter here.
inline constexpr int kErrorPriority = 3;
inline constexpr int kWarningPriority = 4;
inline constexpr int kInfoPriority = 6;

/// Of a message no more is looked at.
inline constexpr std::size_t kMaxLogMessageBytes = 1024;

/// One entry of a log. The texts belong to whoever read it, until it reads on.
struct LogEntry {
  int priority = kInfoPriority;
  bool kernel = false;          ///< the kernel itself wrote it
  bool init = false;            ///< systemd as process 1 wrote it
  std::int64_t mono_us = -1;    ///< when, on the monotonic clock; -1: not known
  std::int64_t kernel_us = -1;  ///< when, on the clock of the kernel's messages; -1: not known
  std::string_view message;
  std::string_view unit;        ///< that wrote it
  std::string_view identifier;  ///< name of the program, as it calls itself
  std::string_view pid;

  // What the journal alone tells, for some messages.
  std::string_view message_id;
  std::string_view about_unit;
  std::string_view result;
  std::string_view restarts;
  std::string_view crashed_pid;
  std::string_view crashed_process;
  std::string_view crashed_unit;
  std::string_view signal;
};

}  // namespace virtseer::agent

#include "agent/sources/log_kinds.h"

#include <algorithm>
#include <array>

#include "agent/scan.h"

namespace virtseer::agent {
namespace {

constexpr std::string_view kCoredumpId = "fc2e22bc6ee647b6b90729ab34a250b1";
constexpr std::string_view kUnitFailureId = "d9b373ed55a64feb8242e02dbe79a49c";
constexpr std::string_view kUnitRestartId = "5eb03494b6584870a536b337290809b3";

std::string_view digitsAt(std::string_view text) {
  const auto end = text.find_first_not_of("0123456789");
  return text.substr(0, end);
}

/// What stands between `before` and the next `after`; empty where there is no such part.
std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const auto begin = text.find(before);
  if (begin == text.npos) return {};
  text.remove_prefix(begin + before.size());
  const auto end = text.find(after);
  return end == text.npos ? std::string_view{} : text.substr(0, end);
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

/// "Killed process 1 (NAME) total-vm:1kB, anon-rss:1kB, file-rss:1kB, shmem-rss:0kB, ...", in old
/// kernels "Killed process 1, UID 2, (NAME) total-vm:...", behind the reason or alone.
bool findOomKill(std::string_view message, Finding& finding) {
  constexpr std::string_view kKilled = "Killed process ";
  const auto place = message.find(kKilled);
  if (place == message.npos) return false;
  if (place != 0 && !message.substr(0, place).ends_with(": ")) return false;
  std::string_view rest = message.substr(place + kKilled.size());
  finding.pid = digitsAt(rest);
  const std::string_view head = rest.substr(0, rest.find("total-vm:"));
  const auto open = head.find('('), close = head.rfind(')');
  if (finding.pid.empty() || open == head.npos || close == head.npos || close < open) return false;
  finding.kind = LogKind::oom_kill;
  finding.process = head.substr(open + 1, close - open - 1);
  rest.remove_prefix(close);
  for (const std::string_view key : {"anon-rss:", "file-rss:", "shmem-rss:"}) {
    const auto kib = parseNumber(between(rest, key, "kB"));
    if (kib && *kib < std::uint64_t{1} << 50)
      finding.rss_bytes = finding.rss_bytes.value_or(0) + *kib * 1024;
  }
  return true;
}

/// "NAME[PID]" at the end of `text`.
bool takeTask(std::string_view text, Finding& finding) {
  const auto open = text.rfind('[');
  if (open == text.npos || !text.ends_with(']')) return false;
  finding.pid = text.substr(open + 1, text.size() - open - 2);
  finding.process = text.substr(0, open);
  return parseNumber(finding.pid).has_value();
}

/// Programs that the kernel ended for what they did: "NAME[PID]: segfault at ...", "traps:
/// NAME[PID] general protection fault ip:...", "traps: NAME[PID] trap invalid opcode ip:...", and
/// of arm64 "NAME[PID]: unhandled exception: ...".
bool findCrash(std::string_view message, Finding& finding) {
  struct Pattern {
    std::string_view behind;
    std::string_view signal;
  };
  static constexpr std::array<Pattern, 7> kPatterns{{{": segfault at ", "SIGSEGV"},
                                                     {" general protection", "SIGSEGV"},
                                                     {" trap invalid opcode ", "SIGILL"},
                                                     {" trap divide error ", "SIGFPE"},
                                                     {" trap ", ""},
                                                     {": unhandled exception", ""},
                                                     {": unhandled level ", "SIGSEGV"}}};
  if (message.starts_with("traps: ")) message.remove_prefix(7);
  for (const Pattern& pattern : kPatterns) {
    const auto place = message.find(pattern.behind);
    if (place == message.npos || !takeTask(message.substr(0, place), finding)) continue;
    finding.kind = LogKind::crash;
    finding.signal = pattern.signal;
    return true;
  }
  return false;
}

bool findKernelFault(std::string_view message, Finding& finding) {
  // Faults of the kernel's own code; what they do is told by several lines one behind the other.
  static constexpr std::string_view kOops[] = {"BUG: ",
                                               "kernel BUG at ",
                                               "Oops: ",
                                               "general protection fault",
                                               "Internal error: ",
                                               "Unable to handle kernel ",
                                               "Oops - ",
                                               "invalid opcode: ",
                                               "divide error: ",
                                               "stack segment: ",
                                               "double fault: "};
  static constexpr std::string_view kStall[] = {"watchdog: BUG: ", "watchdog: Watchdog detected ",
                                                "NMI watchdog: ",  "rcu: INFO: ",
                                                "INFO: rcu_",      "Kernel panic - "};
  const auto begins = [&](std::string_view start) { return message.starts_with(start); };
  if (begins("INFO: task ") && has(message, " blocked for more than ")) {
    const std::string_view task = between(message, "INFO: task ", " blocked for more than ");
    const auto colon = task.rfind(':');
    finding.process = task.substr(0, colon);
    if (colon != task.npos) finding.pid = task.substr(colon + 1);
  } else if (std::any_of(std::begin(kOops), std::end(kOops), begins)) {
    finding.may_go_on = true;
  } else if (begins("INFO: rcu_") || begins("rcu: INFO: ")) {
    if (!has(message, "stall")) return false;
  } else if (begins("NMI watchdog: ")) {
    if (!has(message, "LOCKUP") && !has(message, "lockup")) return false;
  } else if (!std::any_of(std::begin(kStall), std::end(kStall), begins)) {
    return false;
  }
  finding.kind = LogKind::kernel_fault;
  finding.begins_dump = true;
  return true;
}

/// "I/O error, dev vda, sector 1 ...", "critical medium error, dev vda, ...", "Buffer I/O error on
/// dev vda1, logical block 0, ...".
bool findIoError(std::string_view message, Finding& finding) {
  finding.device = between(message, " error, dev ", ", sector ");
  // What a device does not know how to do is asked of it once, and done another way.
  if (!finding.device.empty() && has(message, "operation not supported error")) return false;
  for (const std::string_view key : {"Buffer I/O error on dev ", "Buffer I/O error on device "})
    if (finding.device.empty()) finding.device = between(message, key, ",");
  if (finding.device.empty()) return false;
  finding.kind = LogKind::io_error;
  return true;
}

bool isFilesystemError(std::string_view message) {
  static constexpr std::string_view kStarts[] = {
      "EXT4-fs error ",   "EXT3-fs error ", "EXT2-fs error ",       "BTRFS error ",
      "BTRFS critical ",  "BTRFS: error ",  "Aborting journal on ", "JBD2: Detected IO errors ",
      "SQUASHFS error: ", "F2FS-fs error ", "bcachefs error"};
  if (std::any_of(std::begin(kStarts), std::end(kStarts),
                  [&](std::string_view start) { return message.starts_with(start); }))
    return true;
  if (message.starts_with("XFS ("))
    return has(message, "orruption") || has(message, "I/O error") || has(message, "shut down") ||
           has(message, "hutdown") || has(message, "writeback error");
  if (message.starts_with("FAT-fs (")) return has(message, "): error");
  return has(message, "emounting filesystem read-only") || has(message, "emounting fs read-only") ||
         has(message, "forced readonly") ||
         (message.starts_with("EXT4-fs (") && has(message, "I/O error"));
}

bool findFilesystemError(std::string_view message, Finding& finding) {
  if (!isFilesystemError(message)) return false;
  finding.kind = LogKind::filesystem_error;
  finding.device = between(message, "(device ", ")");
  if (finding.device.empty()) finding.device = between(message, " on device ", "-");
  if (finding.device.empty()) finding.device = between(message, "(", ")");
  const auto state = finding.device.find(": ");
  finding.device = finding.device.substr(0, state);  // "vda1: state EA" of newer kernels
  return true;
}

void findInKernel(const LogEntry& entry, Finding& finding) {
  const std::string_view message = entry.message;
  if (findOomKill(message, finding)) return;
  if (findCrash(message, finding)) return;
  finding = {};
  if (findKernelFault(message, finding)) return;
  if (findIoError(message, finding)) return;
  finding = {};
  if (findFilesystemError(message, finding)) return;
  finding.only_begins =
      has(message, " invoked oom-killer: ") || message.starts_with("------------[ cut here ]");
  finding.begins_dump = finding.only_begins || message.starts_with("WARNING: ");
}

/// "a.service: Failed with result 'exit-code'." and "a.service: Scheduled restart job, restart
/// counter is at 1."
void findUnit(const LogEntry& entry, Finding& finding) {
  constexpr std::string_view kFailed = ": Failed with result '",
                             kRestart = ": Scheduled restart job";
  const std::string_view message = entry.message;
  const auto failed = message.find(kFailed), restart = message.find(kRestart);
  if (entry.message_id == kUnitFailureId || failed != message.npos) {
    finding.kind = LogKind::unit_failed;
    finding.unit = entry.about_unit.empty() ? message.substr(0, failed) : entry.about_unit;
    finding.result = entry.result.empty() ? between(message, kFailed, "'") : entry.result;
  } else if (entry.message_id == kUnitRestartId || restart != message.npos) {
    finding.kind = LogKind::unit_restarted;
    finding.unit = entry.about_unit.empty() ? message.substr(0, restart) : entry.about_unit;
    finding.restarts =
        entry.restarts.empty() ? between(message, "restart counter is at ", ".") : entry.restarts;
  }
}

}  // namespace

std::string_view nameOf(LogKind kind) {
  static constexpr std::array<std::string_view, kLogKinds> kNames{
      "guest.log",         "guest.oom_kill",       "guest.crash",    "guest.kernel_fault",
      "guest.unit_failed", "guest.unit_restarted", "guest.io_error", "guest.filesystem_error"};
  return kNames[static_cast<std::size_t>(kind)];
}

Finding examine(const LogEntry& entry) {
  Finding finding;
  if (entry.kernel) {
    findInKernel(entry, finding);
  } else if (entry.init) {
    findUnit(entry, finding);
  } else if (entry.message_id == kCoredumpId && entry.unit.starts_with("systemd-coredump")) {
    finding.kind = LogKind::crash;
    finding.process = entry.crashed_process;
    finding.pid = entry.crashed_pid;
    finding.unit = entry.crashed_unit;
    finding.signal = entry.signal;
  }
  return finding;
}

std::string_view oomUnit(std::string_view message) {
  if (!message.starts_with("oom-kill:")) return {};
  std::string_view group = between(message, ",task_memcg=", ",task=");
  group.remove_prefix(group.rfind('/') == group.npos ? 0 : group.rfind('/') + 1);
  return group;
}

}  // namespace virtseer::agent

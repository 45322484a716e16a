#include "agent/sources/log_digest.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "agent/scan.h"
#include "agent/sources/log_text.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kMostPast = 8;
/// How long the lines of one dump follow each other, on the kernel's clock.
constexpr std::int64_t kDumpUs = 1'000'000;
/// How long after the kernel systemd-coredump may tell of the same crash.
constexpr std::int64_t kSecondNewsMs = 120'000;

echo::HappeningSeverity severityOf(const LogEntry& entry, LogKind kind) {
  const bool warning = kind == LogKind::unit_restarted ||
                       (kind == LogKind::log && entry.priority >= kWarningPriority);
  return warning ? echo::HappeningSeverity::warning : echo::HappeningSeverity::error;
}

std::string_view priorityName(int priority) {
  static constexpr std::string_view kNames[] = {"emerg", "alert", "crit", "err", "warning"};
  return priority >= 0 && priority <= kWarningPriority ? kNames[priority] : "info";
}

std::uint64_t shapeOf(const LogEntry& entry, const Finding& finding) {
  std::uint64_t shape = agent::shapeOf(entry.message);
  for (const std::string_view part :
       {nameOf(finding.kind), finding.unit, entry.unit, entry.identifier, finding.process})
    shape = agent::shapeOf(part, shape ^ part.size());
  // Numbers tell devices apart.
  for (const char c : finding.device) shape = (shape ^ static_cast<unsigned char>(c)) * 31;
  return shape;
}

/// A coredump's message goes on with a stack, line after line.
std::string_view firstPart(const LogEntry& entry, LogKind kind) {
  return kind == LogKind::crash ? entry.message.substr(0, entry.message.find('\n')) : entry.message;
}

echo::Happening happeningOf(const LogEntry& entry, const Finding& finding) {
  echo::Happening happening{.kind = std::string(nameOf(finding.kind)),
                            .severity = severityOf(entry, finding.kind),
                            .message = toldMessage(firstPart(entry, finding.kind)),
                            .fields = {}};
  const auto field = [&](const char* name, std::string_view text) {
    if (!text.empty()) happening.fields.emplace(name, text);
  };
  const bool plain = finding.kind == LogKind::log;
  field("unit", plain ? entry.unit : finding.unit);
  field("pid", plain ? entry.pid : finding.pid);
  if (plain) {
    field("identifier", entry.kernel ? std::string_view("kernel") : entry.identifier);
    field("priority", priorityName(entry.priority));
  }
  field("process", finding.process);
  field("signal", finding.signal);
  field("result", finding.result);
  field("restarts", finding.restarts);
  field("device", finding.device);
  if (finding.rss_bytes) field("rss_bytes", std::to_string(*finding.rss_bytes));
  return happening;
}

}  // namespace

void LogDigest::take(const LogEntry& entry, std::int64_t earliest_ms, std::int64_t now_ms) {
  if (entry.priority <= kErrorPriority)
    ++errors_;
  else if (entry.priority == kWarningPriority)
    ++warnings_;
  const std::int64_t entry_ms = (entry.mono_us >= 0 ? entry.mono_us : entry.kernel_us) / 1000;
  const bool timed = entry.mono_us >= 0 || entry.kernel_us >= 0;
  const std::int64_t at_ms =
      timed ? std::max(std::min(entry_ms, now_ms), std::min(earliest_ms, now_ms)) : now_ms;

  Finding finding = examine(entry);
  if (entry.kernel) {
    if (const auto unit = oomUnit(entry.message); !unit.empty()) oom_unit_ = unit;
    if (finding.kind == LogKind::oom_kill) finding.unit = oom_unit_;
  }
  if (isDumped(entry, finding, entry.kernel_us >= 0 ? entry.kernel_us : at_ms * 1000)) {
    if (entry.priority <= kWarningPriority) ++suppressed_;
    return;
  }
  if (finding.kind == LogKind::log && entry.priority > kWarningPriority) return;
  if (finding.kind == LogKind::crash && isSecondNews(entry, finding, at_ms)) return;
  ++kinds_[static_cast<std::size_t>(finding.kind)];

  const std::uint64_t shape = shapeOf(entry, finding);
  const auto same = std::find_if(told_.begin(), told_.end(),
                                 [&](const Told& told) { return told.shape == shape; });
  if (same != told_.end()) {
    if (same->happening.count < UINT32_MAX) ++same->happening.count;
    same->happening.mono_ms = std::max(same->happening.mono_ms, at_ms);
  } else if (hasRoom(finding.kind)) {
    told_.push_back({shape, finding.kind, happeningOf(entry, finding)});
    told_.back().happening.mono_ms = at_ms;
  } else {
    ++suppressed_;
  }
  if (finding.kind == LogKind::oom_kill) oom_unit_.clear();
}

/// Whether a message of the kernel only goes on with what was told before.
bool LogDigest::isDumped(const LogEntry& entry, const Finding& finding, std::int64_t at_us) {
  if (!entry.kernel) return false;
  const bool dumping = at_us <= dump_until_us_;
  const bool fault_goes_on = finding.may_go_on && at_us <= fault_until_us_;
  if (finding.begins_dump) dump_until_us_ = at_us + kDumpUs;
  if (finding.kind == LogKind::kernel_fault) fault_until_us_ = at_us + kDumpUs;
  if (finding.kind == LogKind::log) return finding.only_begins || (dumping && !finding.begins_dump);
  return fault_goes_on;
}

/// Whether systemd-coredump tells of a crash that the kernel told, or the other way round. What
/// was not yet told of it is added, if it is not too late.
bool LogDigest::isSecondNews(const LogEntry& entry, const Finding& finding, std::int64_t at_ms) {
  const auto pid = parseNumber(finding.pid);
  if (!pid) return false;
  for (Crash& crash : crashes_) {
    if (crash.pid != *pid || crash.kernel == entry.kernel) continue;
    if (std::max(at_ms, crash.at_ms) - std::min(at_ms, crash.at_ms) > kSecondNewsMs) continue;
    crash = {};
    for (Told& told : told_) {
      const auto field = told.happening.fields.find("pid");
      if (told.kind != LogKind::crash || field == told.happening.fields.end()) continue;
      if (field->second != finding.pid) continue;
      if (!finding.unit.empty()) told.happening.fields.emplace("unit", finding.unit);
      if (!finding.signal.empty()) told.happening.fields.emplace("signal", finding.signal);
    }
    return true;
  }
  crashes_[next_crash_++ % crashes_.size()] = {*pid, entry.kernel, at_ms};
  return false;
}

bool LogDigest::hasRoom(LogKind kind) {
  const bool plain = kind == LogKind::log;
  if (told_.size() + past_.size() >= limits_.per_round) return false;
  if (tokens_ < 1 + (plain ? limits_.reserved : 0)) return false;
  if (plain &&
      static_cast<std::size_t>(std::count_if(told_.begin(), told_.end(), [](const Told& told) {
        return told.kind == LogKind::log;
      })) >= limits_.plain_per_round)
    return false;
  tokens_ -= 1;
  return true;
}

void LogDigest::takePast(const LogEntry& entry) {
  if (const auto unit = oomUnit(entry.message); !unit.empty()) oom_unit_ = unit;
  Finding finding = examine(entry);
  if (finding.kind == LogKind::oom_kill) finding.unit = oom_unit_;
  if (isDumped(entry, finding, entry.kernel_us)) return;
  if (finding.kind != LogKind::oom_kill && finding.kind != LogKind::kernel_fault) return;
  const std::uint64_t shape = shapeOf(entry, finding);
  const auto same = std::find_if(past_.begin(), past_.end(),
                                 [&](const Told& told) { return told.shape == shape; });
  const std::int64_t at_ms = entry.kernel_us / 1000;
  if (same != past_.end()) {
    if (same->happening.count < UINT32_MAX) ++same->happening.count;
    same->happening.mono_ms = at_ms;
    std::rotate(same, same + 1, past_.end());  // the newest last
    return;
  }
  if (past_.size() >= kMostPast) past_.erase(past_.begin());
  past_.push_back({shape, finding.kind, happeningOf(entry, finding)});
  past_.back().happening.mono_ms = at_ms;
}

void LogDigest::addColumns(Columns& columns) {
  if (std::exchange(has_columns_, true)) return;
  errors_column_ = columns.add("guest_log_entries_total", {{"priority", "error"}});
  warnings_column_ = columns.add("guest_log_entries_total", {{"priority", "warning"}});
  suppressed_column_ = columns.add("guest_log_entries_suppressed_total");
  skipped_column_ = columns.add("guest_log_entries_skipped_total");
  // Killed for memory: /proc/vmstat counts those since the boot, in the source of the memory.
  static constexpr std::string_view kNames[kLogKinds] = {"",
                                                         "",
                                                         "guest_crashes_total",
                                                         "guest_kernel_faults_total",
                                                         "guest_unit_failures_total",
                                                         "guest_unit_restarts_total",
                                                         "guest_io_errors_total",
                                                         "guest_filesystem_errors_total"};
  for (std::size_t kind = 0; kind < kLogKinds; ++kind)
    kind_columns_[kind] = kNames[kind].empty() ? kNoColumn : columns.add(kNames[kind]);
}

void LogDigest::report(Round& round) {
  addColumns(round.columns);
  for (Told& told : past_) {
    // The clocks may have drifted apart since the boot.
    told.happening.mono_ms = std::clamp<std::int64_t>(told.happening.mono_ms, 0, round.now_ms);
    told.happening.fields["age_seconds"] =
        std::to_string((round.now_ms - told.happening.mono_ms) / 1000);
  }
  // What finds no room is told in a later round.
  for (std::vector<Told>* list : {&past_, &told_}) {
    const auto left = std::find_if(list->begin(), list->end(), [&](const Told& told) {
      return !round.report.happened(told.happening);
    });
    list->erase(list->begin(), left);
  }
  if (filled_ms_ >= 0) {
    const double minutes = static_cast<double>(round.now_ms - filled_ms_) / 60'000;
    tokens_ = std::min(limits_.burst, tokens_ + std::max(minutes, 0.0) * limits_.per_minute);
  }
  filled_ms_ = round.now_ms;

  const auto set = [&](Column column, std::uint64_t value) {
    round.row.set(column, static_cast<double>(value));
  };
  set(errors_column_, errors_);
  set(warnings_column_, warnings_);
  set(suppressed_column_, suppressed_);
  set(skipped_column_, skipped_);
  for (std::size_t kind = 0; kind < kLogKinds; ++kind) set(kind_columns_[kind], kinds_[kind]);
}

}  // namespace virtseer::agent

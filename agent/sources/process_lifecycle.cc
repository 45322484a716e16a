#include "agent/sources/process_lifecycle.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace virtseer::agent {
namespace {

/// A main process that comes as late after the one before is told as its restart.
constexpr std::int64_t kRestartMs = 60'000;
/// What lives shorter is no news, unless it is a main process: a build starts hundreds.
constexpr std::int64_t kLastingMs = 60'000;

std::string numberText(std::int64_t number) {
  char digits[24];
  return {digits, std::to_chars(digits, digits + sizeof digits, number).ptr};
}

}  // namespace

void ProcessLifecycle::tell(ProcessList& list, ProcessUnits& units,
                            std::span<const ProcessRanking::Place> top, ReportBuilder& report,
                            std::int64_t now_ms) {
  list_ = &list;
  units_ = &units;
  report_ = &report;
  now_ms_ = now_ms;
  left_ = kMostPerRound;
  replaced_.clear();
  for (const std::int32_t pid : list.newMains())
    if (const Process* process = list.find(pid)) started(*process);
  for (const Process& process : list.ended())
    if (std::find(replaced_.begin(), replaced_.end(), &process) == replaced_.end()) ended(process);
  for (const auto& place : top) {
    Process& process = list.all()[place.process];
    if (process.top_rounds >= kTopRounds || ageMs(process) < kLastingMs) continue;
    if (++process.top_rounds == kTopRounds && process.is_new && !process.is_main)
      put("started", process, now_ms_ - ageMs(process));
  }
}

/// A main process began: in place of another one, if its unit had one until just now.
void ProcessLifecycle::started(const Process& process) {
  const std::int64_t began_ms = now_ms_ - ageMs(process);
  for (const Process& before : list_->ended()) {
    if (!before.is_main || before.unit != process.unit) continue;
    if (std::find(replaced_.begin(), replaced_.end(), &before) != replaced_.end()) continue;
    replaced_.push_back(&before);
    return put("restarted", process, began_ms, before.pid);
  }
  const auto before = std::exchange(units_->mainEnd(process.unit), {});
  if (before.pid != 0 && now_ms_ - before.at_ms <= kRestartMs)
    return put("restarted", process, began_ms, before.pid);
  put("started", process, began_ms);
}

void ProcessLifecycle::ended(const Process& process) {
  if (process.is_main) units_->mainEnd(process.unit) = {process.pid, now_ms_};
  put("ended", process, now_ms_);
}

std::int64_t ProcessLifecycle::ageMs(const Process& process) const {
  return static_cast<std::int64_t>(list_->secondsSinceStart(process) * 1000);
}

void ProcessLifecycle::put(std::string_view what, const Process& process, std::int64_t at_ms,
                           std::int32_t previous) {
  if (left_ == 0) {
    ++untold_;
    return;
  }
  --left_;
  const std::string_view unit = units_->name(process.unit);
  const std::string pid = numberText(process.pid);
  echo::Happening happening;
  happening.kind = "guest.process_" + std::string(what);
  happening.mono_ms = at_ms;
  happening.message = std::string(process.name.view()) + " (process " + pid +
                      (unit.empty() ? "" : " of ") + std::string(unit) + ") " + std::string(what);
  happening.fields = {{"pid", pid},
                      {"parent_pid", numberText(process.parent)},
                      {"name", std::string(process.name.view())}};
  if (!unit.empty()) happening.fields.emplace("unit", unit);
  if (previous != 0) happening.fields.emplace("previous_pid", numberText(previous));
  untold_ += !report_->happened(std::move(happening));
}

}  // namespace virtseer::agent

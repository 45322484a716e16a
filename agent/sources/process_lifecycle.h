#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "agent/report_builder.h"
#include "agent/sources/process_list.h"
#include "agent/sources/process_ranking.h"

namespace virtseer::agent {

/// Reports the beginning and the end of processes that matter: the main ones of units, and those
/// that are a minute old and were twice among the top. A busy guest starts hundreds that are
/// neither.
class ProcessLifecycle {
 public:
  static constexpr std::size_t kMostPerRound = 16;

  void tell(ProcessList& list, ProcessUnits& units, std::span<const ProcessRanking::Place> top,
            ReportBuilder& report, std::int64_t now_ms);

  /// Happenings that were not reported, since the start.
  std::uint64_t untold() const { return untold_; }

 private:
  void started(const Process& process);
  void ended(const Process& process);
  std::int64_t ageMs(const Process& process) const;
  void put(std::string_view what, const Process& process, std::int64_t at_ms,
           std::int32_t previous = 0);

  ProcessList* list_ = nullptr;  ///< these four during `tell`
  ProcessUnits* units_ = nullptr;
  ReportBuilder* report_ = nullptr;
  std::int64_t now_ms_ = 0;

  std::vector<const Process*> replaced_;  ///< ended ones whose successor was told
  std::size_t left_ = 0;
  std::uint64_t untold_ = 0;
};

}  // namespace virtseer::agent

#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "model/plan.h"
#include "store/event_log.h"

namespace virtseer::daemon {

/// The plans of the last rounds. A plan that decides the same as the one before takes over its id
/// (and its steps' ids) and its place, so that an id that was shown a minute ago still says why.
/// Keeps the last 200 decisions in memory; those with a due step, the last 50, in the settings too,
/// where operations of an earlier life find them. Loop thread.
class PlanArchive {
 public:
  static constexpr std::size_t kMost = 200;
  static constexpr std::size_t kMostKept = 50;

  /// Reads what an earlier life kept, and keeps there what is not in them yet. To be called when a
  /// store serves, and again when another one does.
  void use(store::Settings& settings);

  /// Takes the newest plan in; gives it its ids. True if it decides otherwise than the one before.
  bool take(Plan& plan);

  std::optional<Plan> newest() const { return newest_; }
  /// By its id or that of one of its steps.
  std::optional<Plan> find(const std::string& id) const;

 private:
  void write(const Plan& plan);

  store::Settings* settings_ = nullptr;
  std::deque<Plan> plans_;  ///< oldest first
  std::optional<Plan> newest_;
};

}  // namespace virtseer::daemon

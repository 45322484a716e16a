#include "daemon/plan_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "daemon/plan_json.h"
#include "decide/planner.h"

namespace virtseer::daemon {
namespace {

constexpr const char* kPrefix = "plan/";

bool worthKeeping(const Plan& plan) {
  return std::ranges::any_of(plan.steps,
                             [](const PlanStep& step) { return step.state == StepState::due; });
}

void rename(Plan& plan, const std::string& id) {
  plan.id = id;
  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    plan.steps[i].id = fmt::format("{}.{}", id, i + 1);
}

}  // namespace

void PlanArchive::use(store::Settings& settings) {
  settings_ = &settings;
  std::vector<Plan> read;
  for (const auto& [key, text] : settings.list(kPrefix)) {
    auto plan = planFromText(text);
    if (plan && key == kPrefix + plan->id)
      read.push_back(std::move(*plan));
    else
      settings.erase(key);
  }
  std::ranges::sort(read, {}, &Plan::made);
  std::deque<Plan> before;
  before.swap(plans_);
  for (auto& plan : read)
    if (std::ranges::none_of(before, [&](const Plan& own) { return own.id == plan.id; }))
      plans_.push_back(std::move(plan));
  for (auto& plan : before) {
    if (worthKeeping(plan)) write(plan);
    plans_.push_back(std::move(plan));
  }
  while (plans_.size() > kMost) plans_.pop_front();
}

void PlanArchive::write(const Plan& plan) {
  if (!settings_) return;
  settings_->put(kPrefix + plan.id, planText(plan));
  // Only ids are needed, so texts are not read again.
  std::vector<const Plan*> kept;
  for (const auto& one : plans_)
    if (one.id != plan.id && worthKeeping(one)) kept.push_back(&one);
  for (std::size_t i = 0; i + kMostKept <= kept.size(); ++i)
    settings_->erase(kPrefix + kept[i]->id);
}

bool PlanArchive::take(Plan& plan) {
  const bool same = newest_ && decide::sameDecision(*newest_, plan);
  if (same) {
    rename(plan, newest_->id);
    if (!plans_.empty()) plans_.back() = plan;
  } else {
    if (worthKeeping(plan)) write(plan);
    plans_.push_back(plan);
    if (plans_.size() > kMost) plans_.pop_front();
  }
  newest_ = plan;
  return !same;
}

std::optional<Plan> PlanArchive::find(const std::string& id) const {
  const auto has = [&](const Plan& plan) {
    return plan.id == id ||
           std::ranges::any_of(plan.steps, [&](const PlanStep& step) { return step.id == id; });
  };
  const auto found = std::find_if(plans_.rbegin(), plans_.rend(), has);
  if (found == plans_.rend()) return std::nullopt;
  return *found;
}

}  // namespace virtseer::daemon

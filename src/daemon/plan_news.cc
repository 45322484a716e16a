#include "daemon/plan_news.h"

#include <fmt/format.h>

#include <algorithm>

#include "decide/explain.h"
#include "decide/words.h"

namespace virtseer::daemon {
namespace {

Event event(const char* kind, Timestamp time, const Uuid& entity, std::string message) {
  Event out;
  out.kind = kind;
  out.time = time;
  out.entity = entity;
  out.message = std::move(message);
  return out;
}

Event stepEvent(const Plan& plan, const PlanStep& step) {
  auto message = fmt::format("{} is to move from {} to {}: {}", decide::label(step.vm_name),
                             decide::label(step.from_name), decide::label(step.to_name),
                             step.reasons.empty() ? plan.verdict : step.reasons.front());
  if (!step.executable && !step.held_back.empty()) message += "; not done: " + step.held_back;
  Event out = event("plan.step", plan.made, step.vm, std::move(message));
  out.fields = {{"plan", plan.id},
                {"step", step.id},
                {"from", step.from.text()},
                {"from_name", decide::label(step.from_name)},
                {"to", step.to.text()},
                {"to_name", decide::label(step.to_name)},
                {"cause", std::string(name(step.cause))},
                {"mode", std::string(name(step.mode))},
                {"executable", step.executable ? "yes" : "no"},
                {"probability", fmt::format("{:.3f}", step.from_before.probability_then)},
                {"score", fmt::format("{:.3f}", step.score)}};
  if (step.from_before.until)
    out.fields["until_ms"] = fmt::format("{}", step.from_before.until->count());
  return out;
}

}  // namespace

void PlanNews::tell(std::vector<Event>& out, Event event, collect::TokenBucket& budget,
                    std::uint64_t& untold, Instant now) {
  if (!budget.take(1, now)) {
    ++untold;
    return;
  }
  if (untold > 0) event.fields["untold"] = fmt::format("{}", untold);
  untold = 0;
  out.push_back(std::move(event));
}

std::vector<Event> PlanNews::of(const Plan& plan, bool changed, const Uuid& host, Instant now) {
  std::vector<Event> out;
  // The first plan after a start is news only if it says that something should be done.
  if (changed && (!first_ || !plan.steps.empty())) {
    Event news = event("plan.changed", plan.made, host, plan.verdict);
    news.fields = {{"plan", plan.id}, {"steps", fmt::format("{}", plan.steps.size())}};
    const auto own = std::ranges::find(plan.hosts, host, &HostOutlook::host);
    if (own != plan.hosts.end() && own->contention.until) {
      news.fields["until_ms"] = fmt::format("{}", own->contention.until->count());
      news.fields["probability"] = fmt::format("{:.3f}", own->contention.probability_then);
    }
    tell(out, std::move(news), changes_, untold_changes_, now);
  }
  first_ = false;
  std::set<std::pair<Uuid, Uuid>> due;
  for (const auto& step : plan.steps) {
    if (step.state != StepState::due) continue;
    const auto move = std::pair(step.vm, step.to);
    due.insert(move);
    if (!due_.contains(move)) tell(out, stepEvent(plan, step), steps_, untold_steps_, now);
  }
  due_ = std::move(due);
  return out;
}

}  // namespace virtseer::daemon

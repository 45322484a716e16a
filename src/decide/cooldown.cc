#include "decide/cooldown.h"

#include <fmt/format.h>

#include <algorithm>

#include "decide/words.h"

namespace virtseer::decide {
namespace {

bool counts(const PastMove& move, const PlannerRules& rules, Timestamp now) {
  return now - move.ended < rules.cycle_window;
}

bool arrived(const PastMove& move) {
  return move.outcome == MoveOutcome::done || move.outcome == MoveOutcome::returned;
}

Millis doubled(Millis base, std::uint32_t times, Millis longest) {
  Millis out = std::min(base, longest);
  for (std::uint32_t i = 1; i < times && out < longest; ++i) out = std::min(out * 2, longest);
  return out;
}

}  // namespace

std::optional<Exclusion> aborted(const PlacedVm& vm, const PlannerRules& rules, Timestamp now) {
  std::uint32_t aborts = 0;
  Timestamp last{};
  for (const auto& move : vm.moves) {
    if (!counts(move, rules, now) || move.outcome != MoveOutcome::aborted) continue;
    ++aborts;
    last = std::max(last, move.ended);
  }
  if (aborts == 0) return std::nullopt;
  const auto left = last + doubled(rules.cooldown, aborts, rules.cooldown_longest) - now;
  if (left <= Millis(0)) return std::nullopt;
  return Exclusion{Refusal::cooldown,
                   fmt::format("a person aborted its move {} ago, it rests for {} more",
                               span(now - last), span(left)),
                   fmt::format("its cool-down were over (in {})", span(left)), true};
}

std::optional<Exclusion> cooling(const PlacedVm& vm, const PlannerRules& rules, Timestamp now) {
  std::uint32_t moves = 0;
  Timestamp last{};
  Timestamp last_attempt{};
  for (const auto& move : vm.moves) {
    if (!counts(move, rules, now) || move.outcome == MoveOutcome::aborted) continue;
    last_attempt = std::max(last_attempt, move.ended);
    if (!arrived(move)) continue;
    ++moves;
    last = std::max(last, move.ended);
  }
  Millis left{0};
  if (moves > 0) left = last + doubled(rules.cooldown, moves, rules.cooldown_longest) - now;
  if (last_attempt != Timestamp{}) left = std::max(left, last_attempt + rules.settle - now);
  if (left <= Millis(0)) return std::nullopt;
  return Exclusion{
      Refusal::cooldown,
      moves > 0
          ? fmt::format("moved {} time{} in {}, rests for {} more", moves, moves == 1 ? "" : "s",
                        span(rules.cycle_window), span(left))
          : fmt::format("an attempt to move it has just failed, rests for {} more", span(left)),
      fmt::format("its cool-down were over (in {})", span(left)), true};
}

std::optional<Exclusion> leftRecently(const PlacedVm& vm, const HostState& to,
                                      const PlannerRules& rules, Timestamp now) {
  std::uint32_t failures = 0;
  Timestamp failed{};
  for (const auto& move : vm.moves) {
    if (!counts(move, rules, now)) continue;
    if (move.outcome == MoveOutcome::done && move.automatic && move.from == to.uuid)
      return Exclusion{Refusal::left_recently,
                       fmt::format("was moved away from there {} ago: going back would be a circle",
                                   span(now - move.ended)),
                       "", true};
    if (move.to != to.uuid || move.outcome == MoveOutcome::done) continue;
    // That host is not at fault.
    if (move.outcome == MoveOutcome::aborted) continue;
    // A refusal is cured by what caused it, often within minutes, and costs the VM nothing.
    if (move.outcome == MoveOutcome::refused && now - move.ended >= rules.settle) continue;
    ++failures;
    failed = std::max(failed, move.ended);
  }
  const auto left = failed + doubled(rules.cooldown, failures, rules.cooldown_longest) - now;
  if (failures == 0 || left <= Millis(0)) return std::nullopt;
  return Exclusion{Refusal::left_recently,
                   fmt::format("the last attempt to move it there failed or was taken back {} ago",
                               span(now - failed)),
                   "", true};
}

}  // namespace virtseer::decide

#include "act/verify.h"

#include <fmt/format.h>

#include "base/text.h"

namespace virtseer::act {
namespace {

using State = Presence::State;

constexpr Millis kUnanswered{10'000};
constexpr Millis kStandstill{10'000};
/// A guest that was started again must boot before its agent can be heard.
constexpr int kBootFactor = 4;
/// Of a VM that wants less no share is told.
constexpr double kIdleCores = 0.05;
/// Waiting of the vCPUs that is no reason to move, however large a share of what an idle VM wants.
constexpr double kBearableCores = 0.05;

long seconds(Millis span) {
  return static_cast<long>(span.count() / 1000);
}

std::optional<std::string> agentFault(const WatchView& view, const MigrationRules& rules) {
  if (!view.before || !view.before->agent) return std::nullopt;
  const auto allowed = view.revived ? kBootFactor * rules.echo_back : rules.echo_back;
  if (view.elapsed <= allowed) return std::nullopt;
  const auto& now = view.now->wellbeing;
  if (!now.agent) return fmt::format("its agent was not heard again within {} s", seconds(allowed));
  if (now.echo_age && *now.echo_age > rules.echo_back)
    return fmt::format("its agent has been silent for {} s", seconds(*now.echo_age));
  return std::nullopt;
}

std::optional<std::string> delayFault(const WatchView& view, const MigrationRules& rules) {
  const auto before = view.before ? delayShare(*view.before) : std::nullopt;
  const auto now = delayShare(view.now->wellbeing);
  if (!before || !now || *now <= *before + rules.delay_margin) return std::nullopt;
  return fmt::format("its vCPUs wait {:.0f} % of what they want, {:.0f} % before", 100 * *now,
                     100 * *before);
}

std::optional<std::string> ticksFault(const WatchView& view) {
  if (!view.before || view.revived) return std::nullopt;
  const auto before = view.before->ticks;
  const auto now = view.now->wellbeing.ticks;
  if (!before || !now || *now > *before) return std::nullopt;
  return fmt::format("its guest stands still or began anew: its counter was {:.0f}, it is {:.0f}",
                     *before, *now);
}

WatchJudgement whileRunning(const WatchView& view, const MigrationRules& rules) {
  const auto errors = view.now->wellbeing.io_errors;
  if (errors > (view.before ? view.before->io_errors : 0))
    return {WatchAct::failed, fmt::format("{} I/O errors in the last minute", errors)};
  if (auto fault = agentFault(view, rules)) return {WatchAct::failed, std::move(*fault)};
  if (view.elapsed < rules.watch) return {WatchAct::go_on, ""};
  if (auto fault = ticksFault(view)) return {WatchAct::failed, std::move(*fault)};
  auto words = fmt::format("watched for {} s", seconds(view.elapsed));
  if (auto fault = delayFault(view, rules)) {
    const double more = *view.now->wellbeing.cpu_delay_cores - *view.before->cpu_delay_cores;
    if (!view.may_share && more >= kBearableCores) return {WatchAct::failed, std::move(*fault)};
    words += fmt::format("; {}, which is no reason to bring it back", *fault);
  }
  return {WatchAct::held, std::move(words)};
}

}  // namespace

std::string_view name(WatchAct act) {
  switch (act) {
    case WatchAct::go_on:
      return "go_on";
    case WatchAct::held:
      return "held";
    case WatchAct::failed:
      return "failed";
    case WatchAct::died:
      return "died";
    case WatchAct::shut_down:
      return "shut_down";
    case WatchAct::silent:
      return "silent";
    case WatchAct::elsewhere:
      return "elsewhere";
  }
  return "";
}

std::optional<double> delayShare(const Wellbeing& wellbeing) {
  if (!wellbeing.cpu_cores || !wellbeing.cpu_delay_cores) return std::nullopt;
  const auto wanted = *wellbeing.cpu_cores + *wellbeing.cpu_delay_cores;
  if (!(wanted > kIdleCores)) return std::nullopt;
  return *wellbeing.cpu_delay_cores / wanted;
}

WatchJudgement judge(const WatchView& view, const MigrationRules& rules) {
  if (!view.now) {
    if (view.silent < kUnanswered) return {WatchAct::go_on, ""};
    return {WatchAct::silent, "the destination does not answer"};
  }
  const auto& there = view.now->presence;
  switch (there.state) {
    case State::running:
      return whileRunning(view, rules);
    case State::off:
      if (there.crashed) return {WatchAct::died, "it died at the destination"};
      if (there.unexplained)
        return {WatchAct::died, "it went off at the destination, with its host or libvirt there"};
      return {WatchAct::shut_down, "it was shut down at the destination"};
    case State::absent:
      return {WatchAct::elsewhere, "the destination does not know it any more"};
    case State::paused:
    case State::incoming:
      break;
  }
  if (there.suspended || view.still < kStandstill) return {WatchAct::go_on, ""};
  return {WatchAct::failed, fmt::format("it stands still at the destination{}{}",
                                        there.reason.empty() ? "" : ": ", printable(there.reason))};
}

}  // namespace virtseer::act

#include "act/enroll.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "decide/enroll.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

/// A guest may take a moment to let go of its port.
constexpr int kLooks = 10;
constexpr Millis kBetweenLooks{500};

EnrollStep* find(EnrollPlan& plan, EnrollStep::Kind kind) {
  const auto found = std::ranges::find(plan.steps, kind, &EnrollStep::kind);
  return found == plan.steps.end() ? nullptr : &*found;
}

bool asWanted(const EnrollFacts& facts, const EnrollStep& step, bool present) {
  const auto is = [&](const std::optional<EnrollSide>& side) {
    return side && side->channel == present;
  };
  return (!step.affects.live || is(facts.live)) && (!step.affects.config || is(facts.config));
}

/// Whether libvirt's definitions are as they were told to be.
asio::awaitable<Result<void>> verified(platform::Actions& actions, Uuid vm, EnrollStep step,
                                       bool present, Pause pause) {
  for (int look = 0;; ++look) {
    const auto facts = co_await actions.enrollFacts(vm);
    if (!facts) co_return fail(facts.error().in("it was changed, but cannot be looked at"));
    if (asWanted(*facts, step, present)) co_return Result<void>{};
    if (look + 1 == kLooks) break;
    co_await pause(kBetweenLooks);
  }
  co_return fail(Code::failed, present
                                   ? "libvirt took the channel, and its XML does not show it"
                                   : "libvirt was told to take the channel away, and the guest has "
                                     "not let go of it: try again, or restart the VM");
}

asio::awaitable<Result<void>> changeChannel(platform::Actions& actions, const EnrollOrder& order,
                                            EnrollStep& step, Pause pause) {
  const bool present = !order.wish.remove;
  const auto done = co_await actions.setEchoChannel(order.vm, present, step.affects);
  if (!done) co_return done;
  auto as_wanted = co_await verified(actions, order.vm, step, present, pause);
  if (!as_wanted) co_return as_wanted;
  step.done = true;
  co_return Result<void>{};
}

/// Without the balloon's figures a guest is still heard: a failure is told, and no more.
asio::awaitable<void> changeBalloon(platform::Actions& actions, const EnrollOrder& order,
                                    EnrollStep& step, std::vector<std::string>& notes) {
  const auto done = co_await actions.setBalloonPeriod(
      order.vm, std::chrono::seconds(order.wish.balloon_period_s), step.affects);
  step.done = done.has_value();
  if (!done)
    notes.push_back("the balloon's statistics period could not be set: " +
                    printable(done.error().message));
}

bool needsToken(const EnrollWish& wish) {
  return wish.way != EchoWay::channel && !wish.remove;
}

/// The plan's token, if the way needs one or there is one to take back. `there`: there is one now.
void planToken(const EnrollOrder& order, const EnrollContext& context, bool there,
               EnrollPlan& plan) {
  const bool needs = needsToken(order.wish);
  if (!needs && (!order.wish.remove || !there)) return;
  EnrollStep step{EnrollStep::Kind::token, {}, needs && there, ""};
  const auto file = printable(context.token_file(order.vm));
  step.words = order.wish.remove ? fmt::format("the token in {} is deleted", file)
               : there           ? fmt::format("a token is there, in {}", file)
                                 : fmt::format("a token is made, in {}", file);
  plan.steps.push_back(std::move(step));
}

/// The steps that were not done before and are now, in words.
std::string doneWords(const EnrollPlan& before, const EnrollPlan& now) {
  std::string out;
  for (std::size_t i = 0; i < now.steps.size(); ++i)
    if (now.steps[i].done && !before.steps[i].done)
      out += (out.empty() ? "" : "; ") + now.steps[i].words;
  return out;
}

Event event(const EnrollReport& report, std::string_view done, Timestamp now) {
  return {.id = 0,
          .time = now,
          .severity = Severity::info,
          .kind = report.remove ? "vm.unenrolled" : "vm.enrolled",
          .entity = report.vm,
          .message = fmt::format("{} is {}: {}", printable(report.vm_name),
                                 report.remove ? "no longer enrolled" : "enrolled", done),
          .fields = {{"way", std::string(name(report.way))}}};
}

Event failure(const EnrollReport& report, std::string_view done, const Error& why, Timestamp now) {
  return {
      .id = 0,
      .time = now,
      .severity = Severity::warning,
      .kind = "vm.enroll_failed",
      .entity = report.vm,
      .message = fmt::format("{} {}: {}; {}", printable(report.vm_name),
                             report.remove ? "could not be unenrolled" : "could not be enrolled",
                             printable(why.message),
                             done.empty() ? std::string("nothing else was done")
                                          : fmt::format("done before: {}", done)),
      .fields = {{"way", std::string(name(report.way))}}};
}

EnrollReport planned(const EnrollOrder& order, const EnrollFacts& facts) {
  EnrollReport out;
  out.vm = order.vm;
  out.vm_name = facts.name;
  out.dry_run = order.dry_run;
  out.remove = order.wish.remove;
  out.way = order.wish.way;
  out.plan = decide::enrollPlan(facts, order.wish);
  return out;
}

asio::awaitable<Result<void>> carryOut(platform::Actions& actions, const EnrollOrder& order,
                                       const EnrollContext& context, EnrollPlan& plan) {
  using Kind = EnrollStep::Kind;
  if (auto* step = find(plan, Kind::channel); step && !step->done)
    if (auto done = co_await changeChannel(actions, order, *step, context.pause); !done)
      co_return done;
  if (auto* step = find(plan, Kind::balloon); step && !step->done)
    co_await changeBalloon(actions, order, *step, plan.notes);
  if (auto* step = find(plan, Kind::token); step && !step->done) {
    const auto done =
        co_await context.token(order.vm, order.wish.remove ? TokenAct::drop : TokenAct::make);
    if (!done) co_return fail(done.error());
    step->done = true;
  }
  co_return Result<void>{};
}

}  // namespace

asio::awaitable<Result<EnrollReport>> enroll(platform::Actions& actions, EnrollOrder order,
                                             EnrollContext context) {
  auto facts = co_await actions.enrollFacts(order.vm);
  if (!facts) co_return fail(facts.error());
  if (context.operation) facts->operation = context.operation(order.vm);
  auto report = planned(order, *facts);
  const auto token =
      co_await context.token(order.vm, needsToken(order.wish) ? TokenAct::usable : TokenAct::there);
  if (!token) co_return fail(token.error());
  planToken(order, context, *token, report.plan);
  if (report.plan.fits()) report.undo = decide::undoCommand(*facts, order.wish, *token);
  if (find(report.plan, EnrollStep::Kind::token) && !order.wish.remove)
    report.token_file = context.token_file(order.vm);
  report.guest = decide::guestWords(order.wish, report.token_file);
  report.changed = std::ranges::any_of(report.plan.steps, [](const auto& s) { return !s.done; });
  if (order.dry_run) co_return report;
  if (!report.plan.fits()) co_return fail(Code::refused, report.plan.refusal());
  if (!report.changed) co_return report;
  const auto before = report.plan;
  const auto carried_out = co_await carryOut(actions, order, context, report.plan);
  const auto done = doneWords(before, report.plan);
  if (!carried_out) {
    context.report(failure(report, done, carried_out.error(), context.clock.wall()));
    co_return fail(carried_out.error());
  }
  report.changed = !done.empty();
  if (report.changed) context.report(event(report, done, context.clock.wall()));
  co_return report;
}

}  // namespace virtseer::act

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "base/text.h"
#include "daemon/foresight_impl.h"
#include "daemon/scenario_join.h"
#include "decide/words.h"

namespace virtseer::daemon {

namespace asio = boost::asio;

namespace {

constexpr const char* kState = "predict/state";
constexpr const char* kSeen = "predict/vms";
constexpr const char* kSetAside = "predict/set-aside";  ///< a state that could not be read
constexpr Millis kKeepEvery{10 * 60'000};
constexpr Millis kFactsEvery{30'000};
constexpr Millis kFactsRetry{5'000};
constexpr Millis kHistoryLasts{20'000};  ///< all histories of one round together
constexpr Millis kLearnBudget{2'000};    ///< scoring the past of one batch
constexpr std::size_t kHistoryBatch = 16;
constexpr std::size_t kVmsAtOnce = 4;  ///< read on the loop without letting others go on
constexpr double kOwnGain = 0.2;       ///< of a new measure of the host's own load

Millis usageWindow(const Config& config) {
  return 3 * std::max(config.libvirt.interval, config.echo.interval);
}

predict::PredictorOptions predictorOptions(const Config& config) {
  predict::PredictorOptions out;
  out.step = config.forecast.step;
  out.horizons = config.forecast.horizons;
  out.max_gap = std::max({3 * out.step, 3 * config.libvirt.interval, Millis(15'000)});
  return out;
}

RunningVm bounds(const Vm& vm) {
  RunningVm out{vm.uuid, {}, {}};
  if (vm.vcpus) out.vcpus = *vm.vcpus;
  if (vm.memory_bytes) out.memory_bytes = static_cast<double>(*vm.memory_bytes);
  return out;
}

}  // namespace

Foresight::Impl::Impl(asio::any_io_executor the_loop, const Clock& the_clock,
                      const Config& the_config, ForesightContext the_context)
    : loop(the_loop),
      clock(the_clock),
      config(the_config),
      context(std::move(the_context)),
      desk(std::make_shared<Desk>(predictorOptions(config), plannerRules(config))),
      pool(loop, "vs-foresight", {.threads = 1, .queue = 64, .abandoned = 2}),
      feed(usageWindow(config)),
      watch(config.plan.contended_share, config.plan.contended_rounds) {}

std::vector<Vm> Foresight::Impl::running() const {
  auto out = context.vms();
  std::erase_if(out, [](const Vm& vm) { return !runs(vm.state); });
  return out;
}

void Foresight::Impl::fault(const std::string& message) {
  if (message == told_fault) return;
  told_fault = message;
  if (!message.empty()) log(Level::warning, "foresight: " + printable(message));
}

asio::awaitable<void> Foresight::Impl::round() {
  co_await takeUp();
  co_await askFacts();
  const auto vms = running();
  co_await learn(vms);
  auto order = co_await gather(vms);
  auto answer = co_await atDesk("round of forecasts and plan",
                                [order = std::move(order)](RoundWorker& worker) mutable {
                                  return Result<RoundAnswer>(worker.round(std::move(order)));
                                });
  // A pool's call returns when its coroutine is cancelled; nothing is to be done with it any more.
  const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
  if (cancelled != asio::cancellation_type::none) co_return;
  if (answer)
    adopt(std::move(*answer));
  else
    fault(answer.error().message);
  if (!kept) kept = clock.mono();
  if (clock.mono() - *kept >= kKeepEvery) co_await keep();
}

/// What an earlier life, or this one with another store, has left.
asio::awaitable<void> Foresight::Impl::takeUp() {
  if (taken_up == store) co_return;
  const auto taking = store;
  archive.use(context.settings());
  seen.read(context.settings().get(kSeen).value_or(""));
  auto state = restored ? std::nullopt : context.settings().get(kState);
  if (!state) {
    taken_up = taking;
    co_return;
  }
  const auto done = co_await atDesk(
      "restoring forecasts", [state](RoundWorker& worker) { return worker.restore(*state); });
  if (!done && done.error().code != Code::corrupt && done.error().code != Code::unsupported) {
    fault(done.error().message);  // tried again in the next round
    co_return;
  }
  taken_up = taking;
  restored = true;
  if (done) {
    feed.keep({});  // its history is read again for every VM
    co_return;
  }
  context.settings().put(kSetAside, std::move(*state));
  context.report({.time = clock.wall(),
                  .severity = Severity::warning,
                  .kind = "forecast.lost",
                  .entity = context.host().uuid,
                  .message = "what forecasts had learned could not be read, they learn anew: " +
                             printable(done.error().message),
                  .fields = {}});
}

asio::awaitable<void> Foresight::Impl::askFacts() {
  const auto now = clock.mono();
  const auto waited = facts_asked ? std::optional(now - *facts_asked) : std::nullopt;
  const bool wanted = facts_failed || !facts || lacksVm(*facts, context.vms());
  if (!facts_stale && waited && *waited < (wanted ? kFactsRetry : kFactsEvery)) co_return;
  auto* actions = context.actions();
  if (!actions) co_return;
  facts_stale = false;
  facts_asked = now;
  facts_failed = true;
  auto placed = co_await actions->placed();
  auto host = placed ? co_await actions->host() : Result<HostState>(fail(placed.error()));
  if (!host) {
    fault(host.error().in("what can be moved is not known").message);
    co_return;
  }
  facts_failed = false;
  facts = OwnFacts{std::move(*host), std::move(*placed), clock.wall()};
}

/// The past of VMs that are seen for the first time.
asio::awaitable<void> Foresight::Impl::learn(std::vector<Vm> running) {
  const auto begin = clock.mono();
  std::vector<RunningVm> all;
  std::vector<Uuid> fresh;
  for (const auto& vm : running) {
    all.push_back(bounds(vm));
    if (!feed.knows(vm.uuid)) fresh.push_back(vm.uuid);
  }
  while (!fresh.empty() && clock.mono() - begin < kHistoryLasts) {
    const auto count = std::min(kHistoryBatch, fresh.size());
    std::vector<Uuid> batch(fresh.end() - static_cast<std::ptrdiff_t>(count), fresh.end());
    fresh.resize(fresh.size() - count);
    auto histories = co_await readHistories(std::move(batch));
    if (histories.empty()) continue;
    for (const auto& history : histories) feed.adopt(history.vm, history.cpu);
    const auto scored = co_await atDesk(
        "learning from the past", [all, histories = std::move(histories)](RoundWorker& worker) {
          return Result<std::uint64_t>(worker.learn(all, histories, kLearnBudget));
        });
    if (scored)
      counts.scored += *scored;
    else
      fault(scored.error().message);
  }
}

asio::awaitable<std::vector<VmHistory>> Foresight::Impl::readHistories(std::vector<Uuid> vms) {
  const auto now = clock.wall();
  Millis longest{0};
  for (const auto horizon : config.forecast.horizons) longest = std::max(longest, horizon);
  struct Work {
    std::vector<HistoryQuery> queries;
    std::vector<VmHistory> histories;
  };
  // The job may outlive this coroutine.
  const auto work = std::make_shared<Work>();
  for (const auto& vm : vms)
    if (auto query = prepareHistory(context.series(), vm, now - 4 * longest, now))
      work->queries.push_back(std::move(*query));
  if (work->queries.empty()) co_return std::vector<VmHistory>{};
  const auto read = co_await context.read([work]() -> Result<void> {
    for (const auto& query : work->queries) {
      auto history = readHistory(query);
      if (!history) return fail(history.error());
      work->histories.push_back(std::move(*history));
    }
    return {};
  });
  if (!read) {
    fault(read.error().in("history is not read").message);
    co_return std::vector<VmHistory>{};
  }
  co_return std::move(work->histories);
}

asio::awaitable<RoundOrder> Foresight::Impl::gather(std::vector<Vm> running) {
  RoundOrder order;
  double used = 0, delay = 0;
  bool measured = false;
  std::unordered_set<Uuid> present;
  for (const auto& vm : context.vms()) present.insert(vm.uuid);
  for (std::size_t i = 0; i < running.size(); ++i) {
    const auto& vm = running[i];
    order.running.push_back(bounds(vm));
    const auto shown = feed.read(context.series(), vm.uuid, clock.wall(), order.observations);
    used += shown.cpu_cores.value_or(0);
    delay += shown.delay_cores.value_or(0);
    measured = measured || (shown.fresh && shown.delay_cores);
    seen.see(vm.uuid, clock.wall());
    if ((i + 1) % kVmsAtOnce == 0) co_await asio::post(loop, asio::use_awaitable);
  }
  feed.keep(present);
  order.now = clock.wall();
  last_round = order.now;
  // A host without running VMs wants nothing: that is known too.
  measure(used, delay, measured || running.empty());
  const auto host = context.host();
  if (const auto now = feed.ownCpus(context.series(), host.uuid, order.now, used))
    own_cpus = own_cpus ? *own_cpus + kOwnGain * (*now - *own_cpus) : *now;
  order.own_cpus = std::max(0.0, own_cpus.value_or(0) - config.host.reserve_cpus);
  order.forgotten = seen.takeForgotten(order.now);
  if (facts && !host.uuid.isNil()) order.own = own(order.now);
  order.peers = context.peers();
  if (order.own)
    for (auto& event : duplicates.take(*order.own, order.peers, order.now))
      context.report(std::move(event));
  order.policy = context.policy();
  co_return order;
}

void Foresight::Impl::measure(double used, double delay, bool measured) {
  if (measured) delay_cores = delay;
  const auto host = context.host();
  const double itself = std::max(0.0, own_cpus.value_or(0) - config.host.reserve_cpus);
  const auto change = watch.take(
      measured ? std::optional(ContentionWatch::Measure{used + itself, delay}) : std::nullopt,
      host.capacity.cpus, clock.wall());
  if (!change) return;
  context.report(
      {.time = clock.wall(),
       .severity = change->contended ? Severity::warning : Severity::info,
       .kind = change->contended ? "host.contended" : "host.relieved",
       .entity = host.uuid,
       .message = fmt::format("{}: its VMs and itself use {} of {}, and its VMs wait for {}",
                              change->contended ? "the host is contended" : "the host is relieved",
                              decide::cores(used + itself), decide::cores(host.capacity.cpus),
                              decide::cores(delay)),
       .fields = {{"delay_cores", fmt::format("{:.3f}", delay)},
                  {"used_cores", fmt::format("{:.3f}", used + itself)},
                  {"capacity", fmt::format("{:.3f}", host.capacity.cpus)},
                  {"since", rfc3339(change->since)}}});
}

void Foresight::Impl::adopt(RoundAnswer answer) {
  foreseen = std::move(answer.foreseen);
  ++counts.rounds;
  counts.scored += answer.scored;
  counts.dropped = answer.dropped;
  if (!facts_failed) fault("");
  if (!answer.plan) return;
  ++counts.plans;
  auto& plan = *answer.plan;
  const bool changed = archive.take(plan);
  for (auto& event : news.of(plan, changed, context.host().uuid, clock.mono()))
    context.report(std::move(event));
  for (const auto& step : plan.steps)
    if (step.executable) context.carry_out(step);
}

asio::awaitable<void> Foresight::Impl::keep() {
  if (taken_up != store) co_return;
  kept = clock.mono();
  auto state = co_await atDesk("keeping forecasts", [](const RoundWorker& worker) {
    return Result<std::string>(worker.serialise());
  });
  if (!state) {
    fault(state.error().message);
    co_return;
  }
  context.settings().put(kState, std::move(*state));
  context.settings().put(kSeen, seen.text());
}

HostState Foresight::Impl::own(Timestamp as_of) const {
  return ownState(*facts, {.now = as_of,
                           .host = context.host(),
                           .vms = context.vms(),
                           .maintenance = context.maintenance(),
                           .flights = context.flights(),
                           .reservations = context.reservations(),
                           .demand = [&](const Uuid& vm) { return feed.demand(vm, as_of); },
                           .moves = context.moves,
                           .dirty_rate = context.dirty_rate});
}

double Foresight::Impl::wantedCpus(const Vm& vm) const {
  std::optional<double> out;
  const auto horizons = planHorizons(config.forecast.horizons, config.plan.act_within);
  if (foreseen)
    if (const auto found = foreseen->vms.find(vm.uuid); found != foreseen->vms.end())
      for (const auto& view : found->second.forecasts)
        if (view.forecast.resource == Resource::cpu &&
            std::ranges::find(horizons, view.forecast.horizon) != horizons.end())
          out = std::max(out.value_or(0), view.forecast.level.quantiles.p50);
  if (!out) out = feed.demand(vm.uuid, clock.wall());
  const double most = vm.vcpus.value_or(1);
  return std::min(out.value_or(most), most);
}

}  // namespace virtseer::daemon

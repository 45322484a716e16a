#include "daemon/decisions.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "base/text.h"
#include "daemon/operation_words.h"
#include "daemon/service_options.h"
#include "decide/explain.h"
#include "decide/order.h"
#include "decide/policy.h"
#include "decide/words.h"

namespace virtseer::daemon {

namespace asio = boost::asio;

namespace {

constexpr Millis kErrorsRemembered{60'000};
constexpr std::size_t kErrorsPerVm = 100;

act::MigrationRules migrationRules(const Config& config) {
  act::MigrationRules rules;
  rules.watch = config.migration.watch;
  rules.echo_back = config.migration.echo_back;
  rules.stall = config.migration.stall;
  rules.downtime_limit = config.migration.downtime_limit;
  rules.bandwidth_bytes_per_s = config.migration.bandwidth_bytes_per_s;
  rules.at_once = config.migration.at_once;
  return rules;
}

bool newerFirst(const Operation& a, const Operation& b) {
  return std::tie(b.created, b.id) < std::tie(a.created, a.id);
}

/// What became of keeping a person's word that holds already.
Result<void> kept(Result<void> durable) {
  if (durable) return durable;
  return fail(durable.error().in("it holds while this daemon runs, but is not kept"));
}

}  // namespace

DaemonDecisions::DaemonDecisions(asio::any_io_executor loop, const Clock& clock,
                                 const Config& config, Inventory& inventory, StoreKeeper& store,
                                 platform::Environment& environment,
                                 std::vector<fleet::PeerOptions> peers, Parts parts)
    : loop_(loop),
      clock_(clock),
      config_(config),
      inventory_(inventory),
      store_(store),
      environment_(environment),
      parts_(std::move(parts)),
      tokens_(AgentTokens(tokenFolder(config)),
              [this](std::function<Result<bool>()> job) { return parts_.files(std::move(job)); }),
      journal_(store,
               [this](const std::string& key, const std::string& fault) {
                 parts_.report({.time = clock_.wall(),
                                .severity = Severity::error,
                                .kind = "operation.unreadable",
                                .entity = {},
                                .message = fmt::format(
                                    "{} cannot be read ({}): look where its VM runs, nobody "
                                    "follows it any more",
                                    printable(key), fault),
                                .fields = {}});
               }),
      peers_(loop, clock, std::move(peers)),
      operations_(std::make_unique<act::Operations>(loop, clock, environment.actions(), peers_,
                                                    journal_, migrationContext(),
                                                    migrationRules(config))),
      arrivals_(std::make_unique<act::Arrivals>(loop, clock, environment.actions(), peers_,
                                                journal_, arrivalContext())),
      foresight_(std::make_unique<Foresight>(loop, clock, config, foresightContext())),
      tasks_(loop, parts_.failed),
      enrollments_(loop, tasks_) {}

DaemonDecisions::~DaemonDecisions() = default;

void DaemonDecisions::start() {
  tasks_.spawn("foresight", foresight_->run());
  tasks_.spawn("peers", peers_.run(config_.plan.round));
}

void DaemonDecisions::storeSwapped() {
  keepsakes_.use(store_.settings(), clock_.wall());
  foresight_->storeSwapped();
  recoverOnce();
}

/// Where VMs are is asked of libvirt, what was under way is read from the disk: both must serve.
void DaemonDecisions::recoverOnce() {
  if (recovered_ || !store_.open_on_disk() || !environment_.status().connected) return;
  recovered_ = true;
  arrivals_->recover();
  operations_->recover();
}

Result<void> DaemonDecisions::ready() const {
  if (recovered_) return {};
  return fail(Code::unreachable,
              "this daemon has just started and does not know yet what was under way: it waits for "
              "its libvirt and its store");
}

void DaemonDecisions::notice(const platform::Notice& notice) {
  using Kind = platform::Notice::Kind;
  switch (notice.kind) {
    case Kind::connected:
      foresight_->stale();
      recoverOnce();
      break;
    case Kind::vm_lifecycle:
      foresight_->stale();
      arrivals_->nudge(*notice.vm);
      if (notice.detail == "stopped" || notice.detail == "undefined") io_errors_.erase(*notice.vm);
      break;
    case Kind::vm_changed:
      foresight_->stale();
      break;
    case Kind::io_error: {
      auto& errors = io_errors_[*notice.vm];
      errors.push_back(clock_.wall());
      if (errors.size() > kErrorsPerVm) errors.pop_front();
      break;
    }
    default:
      break;
  }
}

asio::awaitable<void> DaemonDecisions::stop() {
  tasks_.cancel();
  operations_->cancel();
  arrivals_->cancel();
  co_await tasks_.join();
  co_await operations_->join();
  co_await arrivals_->join();
  co_await foresight_->save();
}

Wellbeing DaemonDecisions::wellbeing(const Uuid& vm) {
  auto out = parts_.wellbeing(vm);
  const auto errors = io_errors_.find(vm);
  if (errors == io_errors_.end()) return out;
  while (!errors->second.empty() && errors->second.front() < clock_.wall() - kErrorsRemembered)
    errors->second.pop_front();
  out.io_errors = errors->second.size();
  if (errors->second.empty()) io_errors_.erase(errors);
  return out;
}

PolicyConfiguration DaemonDecisions::policies() {
  auto out = config_.policy;
  out.stop |= !automation().on;
  return out;
}

void DaemonDecisions::carryOut(const PlanStep& step) {
  tasks_.spawn("step " + step.id, begin({.vm = step.vm,
                                         .to = step.to.text(),
                                         .origin = OperationOrigin::plan,
                                         .plan_step = step.id,
                                         .return_of = {},
                                         .reasons = step.reasons,
                                         .cpus = step.cpus,
                                         .copy_storage = {},
                                         .may_share = step.cause == StepCause::maintenance}));
}

asio::awaitable<void> DaemonDecisions::begin(act::MigrationOrder order) {
  const auto begun = co_await operations_->migrate(order);
  if (begun) co_return;
  parts_.report(
      {.time = clock_.wall(),
       .severity = Severity::warning,
       .kind = "plan.step_refused",
       .entity = order.vm,
       .message = fmt::format("step {} was not begun: {}", order.plan_step, begun.error().message),
       .fields = {{"step", order.plan_step}}});
}

Result<api::ForecastAnswer> DaemonDecisions::forecast(const std::string& name) {
  const auto vm = inventory_.find(name);
  if (!vm) return fail(vm.error());
  return foresight_->forecast(*vm);
}

asio::awaitable<Result<Ranking>> DaemonDecisions::rank(std::string name) {
  const auto vm = inventory_.find(name);
  if (!vm) co_return fail(vm.error());
  co_return co_await rankHere(*vm);
}

/// With what it means that no host lists the VM.
asio::awaitable<Result<Ranking>> DaemonDecisions::rankHere(Vm vm) {
  auto ranking = co_await foresight_->rank(vm.uuid);
  if (ranking || ranking.error().code != Code::not_found) co_return ranking;
  if (occupies(vm.state))
    co_return fail(Code::busy,
                   fmt::format("{} has not been looked at yet: try again in some seconds",
                               printable(vm.name)));
  co_return fail(Code::refused, fmt::format("{} is {} here: hosts are ranked for VMs that run",
                                            printable(vm.name), virtseer::name(vm.state)));
}

Result<api::PolicyView> DaemonDecisions::policy(const std::string& name) {
  const auto vm = inventory_.find(name);
  if (!vm) return fail(vm.error());
  return api::PolicyView{vm->uuid, vm->name, foresight_->policy(*vm)};
}

Result<api::Explanation> DaemonDecisions::explain(const std::string& id) {
  api::Explanation out{.id = id, .lines = {}, .plan = {}, .step = {}, .operation = {}};
  if (auto found = operation(id)) {
    out.lines = explainOperation(*found);
    out.plan = found->plan_step.empty() ? std::nullopt : foresight_->plan(found->plan_step);
    out.operation = std::move(*found);
  } else {
    out.plan = foresight_->plan(id);
  }
  if (!out.plan && !out.operation)
    return fail(Code::not_found,
                fmt::format("no plan, step or operation has the id \"{}\": 'virtseer plan' and "
                            "'virtseer operations' name them",
                            printable(id)));
  if (!out.plan) return out;
  for (const auto& step : out.plan->steps)
    if (step.id == id || (out.operation && step.id == out.operation->plan_step)) out.step = step;
  for (auto& line : decide::explain(*out.plan)) out.lines.push_back(std::move(line));
  return out;
}

asio::awaitable<Result<RankedHost>> DaemonDecisions::choose(Vm vm, std::string wanted) {
  if (vm.state == VmState::gone && wanted.empty())
    co_return fail(
        Code::refused,
        fmt::format("{0} is not here any more: 'virtseer operations --vm {0}' tells where "
                    "virtseer moved it",
                    decide::commandName(vm.name, vm.uuid)));
  const auto ranking = co_await rankHere(vm);
  if (!ranking) co_return fail(ranking.error());
  // A peer may be configured by another name than it has.
  if (const auto peer = peers_.find(wanted); !wanted.empty() && peer && (*peer)->host())
    wanted = (*peer)->host()->text();
  co_return decide::destination(*ranking, wanted);
}

asio::awaitable<Result<api::MigrateAnswer>> DaemonDecisions::migrate(std::string name,
                                                                     api::MigrateRequest request) {
  if (const auto known = ready(); !known) co_return fail(known.error());
  const auto vm = inventory_.find(name);
  if (!vm) co_return fail(vm.error());
  const auto& here = inventory_.host();
  if (vm->state != VmState::gone && (request.to == here.name || request.to == here.uuid.text()))
    co_return fail(Code::refused,
                   fmt::format("{} is on {} already", printable(vm->name), printable(here.name)));
  auto ranked = co_await choose(*vm, request.to);
  if (!ranked && request.to.empty()) co_return fail(ranked.error());

  act::MigrationOrder order{.vm = vm->uuid,
                            .to = request.to.empty() ? ranked->host.text() : request.to,
                            .origin = OperationOrigin::person,
                            .plan_step = {},
                            .return_of = {},
                            .reasons = {"a person asked for it"},
                            .cpus = foresight_->wants(*vm).first,
                            .copy_storage = request.copy_storage};
  if (!request.dry_run) {
    if (ranked)
      if (auto may = decide::mayGo(*ranked, vm->name); !may) co_return fail(may.error());
    if (auto may = co_await operations_->mayBegin(order); !may) co_return fail(may.error());
    auto begun = co_await operations_->migrate(std::move(order));
    if (!begun) co_return fail(begun.error());
    co_return api::MigrateAnswer{.operation = std::move(*begun), .dry_run = {}};
  }
  auto preview = co_await operations_->preview(std::move(order));
  if (!preview) co_return fail(preview.error());
  if (ranked)
    if (auto may = decide::mayGo(*ranked, vm->name); !may)
      preview->checks.push_back({"duplicate", false, may.error().message});
  co_return api::MigrateAnswer{
      .operation = {},
      .dry_run = api::MigrateDryRun{.vm = preview->vm,
                                    .vm_name = preview->vm_name,
                                    .to = preview->to,
                                    .to_name = preview->to_name,
                                    .fits = preview->fits(),
                                    .copy_storage = preview->copy_storage,
                                    .checks = std::move(preview->checks),
                                    .ranked = ranked ? std::optional(*ranked) : std::nullopt}};
}

Result<std::vector<Operation>> DaemonDecisions::operations(const api::OperationFilter& filter) {
  if (const auto known = ready(); !known) return fail(known.error());
  auto all = operations_->all();
  for (auto& arrival : arrivals_->all()) all.push_back(std::move(arrival));
  std::erase_if(all, [&](const Operation& operation) {
    return (filter.active && ended(operation.state)) || (filter.vm && operation.vm != *filter.vm);
  });
  std::sort(all.begin(), all.end(), newerFirst);
  if (all.size() > filter.limit) all.resize(filter.limit);
  return all;
}

Result<Operation> DaemonDecisions::operation(const std::string& id) {
  if (auto found = operations_->find(id)) return std::move(*found);
  if (auto found = arrivals_->find(id)) return std::move(*found);
  if (const auto known = ready(); !known) return fail(known.error());
  return fail(Code::not_found,
              fmt::format("no operation has the id \"{}\": 'virtseer operations' lists them",
                          printable(id)));
}

asio::awaitable<Result<Operation>> DaemonDecisions::abort(std::string id, bool fenced) {
  if (!operations_->find(id) && arrivals_->find(id))
    co_return fail(Code::refused,
                   fmt::format("{} is carried out by the source: abort it there, "
                               "on {}",
                               printable(id), printable(arrivals_->find(id)->from_name)));
  if (!operations_->find(id))
    if (const auto known = ready(); !known) co_return fail(known.error());
  co_return co_await operations_->abort(std::move(id), fenced);
}

asio::awaitable<Result<void>> DaemonDecisions::setMaintenance(std::string host, bool on) {
  const auto& self = inventory_.host();
  if (host != self.name && host != self.uuid.text()) {
    const auto peer = peers_.find(host);
    if (!peer) co_return fail(peer.error());
    co_return co_await (*peer)->setMaintenance(on);
  }
  // Said again it is a wish to know that it is kept: it may be an earlier one that could not be.
  if (maintenance() == on) co_return kept(co_await store_.durable());
  keepsakes_.setMaintenance(on, clock_.wall());
  foresight_->stale();
  parts_.report({.time = clock_.wall(),
                 .severity = Severity::info,
                 .kind = on ? "host.maintenance_on" : "host.maintenance_off",
                 .entity = self.uuid,
                 .message = on ? "this host is in maintenance: it takes no VM and gives up its own"
                               : "maintenance of this host has ended",
                 .fields = {}});
  co_return kept(co_await store_.durable());
}

api::Automation DaemonDecisions::automation() {
  if (config_.policy.stop) return {.on = false, .said_by = "configuration", .since = {}};
  const auto said = keepsakes_.automation();
  if (!said) return {.on = true, .said_by = "configuration", .since = {}};
  return {.on = said->on, .said_by = "person", .since = said->since};
}

asio::awaitable<Result<api::Automation>> DaemonDecisions::setAutomation(bool on) {
  const auto said = keepsakes_.automation();
  if (on != (!said || said->on)) sayAutomation(on);
  const auto durable = kept(co_await store_.durable());
  if (!durable) co_return fail(durable.error());
  co_return automation();
}

void DaemonDecisions::sayAutomation(bool on) {
  keepsakes_.setAutomation(on, clock_.wall());
  parts_.report({.time = clock_.wall(),
                 .severity = Severity::info,
                 .kind = on ? "automation.on" : "automation.off",
                 .entity = inventory_.host().uuid,
                 .message = on ? "virtseer may act by itself again, as far as policy allows"
                               : "virtseer does nothing by itself until told otherwise",
                 .fields = {}});
}

api::Decisions::Counts DaemonDecisions::counts() {
  Counts out;
  const auto seen = foresight_->counts();
  out.rounds = seen.rounds;
  out.plans = seen.plans;
  out.forecasts_scored = seen.scored;
  out.forecast_points_dropped = seen.dropped;
  for (const auto state : operations_->states()) {
    if (!ended(state))
      ++out.operations_active;
    else if (state == OperationState::done)
      ++out.operations_done;
    else if (state == OperationState::refused)
      ++out.operations_refused;
    else
      ++out.operations_failed;
  }
  for (const auto& peer : peers_.states()) {
    ++out.peers;
    if (!peer.answers) ++out.peers_silent;
  }
  return out;
}

}  // namespace virtseer::daemon

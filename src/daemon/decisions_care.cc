#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "daemon/agent_tokens.h"
#include "daemon/decisions.h"
#include "daemon/service_options.h"
#include "decide/doctor.h"

/// What helps a person to have everything seen.
namespace virtseer::daemon {

namespace asio = boost::asio;

namespace {

/// Which disks are shared, what guards them, and what policy a domain has is the planner's
/// knowledge.
void addPlaced(CheckUp& up, const HostState& host) {
  up.disk_locks = host.disk_locks;
  const auto shared = [&](const DiskNeed& disk) {
    const auto reach = std::ranges::find(host.storage, disk.storage, &StorageReach::id);
    return reach != host.storage.end() && reach->shared;
  };
  for (auto& checked : up.vms) {
    const auto placed = std::ranges::find(host.vms, checked.vm.uuid, &PlacedVm::uuid);
    if (placed == host.vms.end()) continue;
    checked.shared_disks = std::ranges::any_of(placed->disks, shared);
    if (placed->metadata) checked.policy_fault = placed->metadata->fault;
  }
}

}  // namespace

std::string DaemonDecisions::operationOf(const Uuid& vm) const {
  if (operations_->busy(vm)) return "a move of it to another host has not ended";
  return arrivals_->expects(vm) ? "a move of it to this host has not ended" : "";
}

act::EnrollContext DaemonDecisions::enrollContext() {
  const AgentTokens tokens(tokenFolder(config_));
  return {.clock = clock_,
          .token = [this, tokens](Uuid vm, act::TokenAct what) -> asio::awaitable<Result<bool>> {
            auto had = co_await parts_.files([tokens, vm, what] { return tokens.act(vm, what); });
            if (had && what == act::TokenAct::drop) parts_.end_call(vm);
            if (had && (what == act::TokenAct::drop || what == act::TokenAct::make))
              co_await arrivals_->settleToken(vm);
            co_return had;
          },
          .token_file = [tokens](Uuid vm) { return tokens.file(vm).string(); },
          .report = parts_.report,
          .operation = [this](Uuid vm) { return operationOf(vm); }};
}

asio::awaitable<Result<EnrollReport>> DaemonDecisions::enroll(std::string name,
                                                              api::EnrollRequest request) {
  if (const auto known = ready(); !known) co_return fail(known.error());
  const auto vm = inventory_.find(name);
  if (!vm) co_return fail(vm.error());
  if (vm->state == VmState::gone)
    co_return fail(Code::not_found,
                   fmt::format("{} is not on this host any more", printable(vm->name)));
  auto* environment = parts_.environment(vm->environment);
  if (!environment)
    co_return fail(Code::unreachable,
                   printable(vm->environment) + " is not among libvirt.uris any more");
  act::EnrollOrder order{
      .vm = vm->uuid, .wish = enrollWish(config_, request), .dry_run = request.dry_run};
  auto report =
      co_await enrollments_.run(environment->actions(), std::move(order), enrollContext());
  if (!report) co_return fail(report.error().in(printable(vm->name)));
  co_return report;
}

asio::awaitable<Result<api::DoctorAnswer>> DaemonDecisions::doctor() {
  auto up = co_await parts_.check_up();
  if (const auto state = foresight_->fleetState()) addPlaced(up, state->host);
  for (auto& checked : up.vms) {
    if (checked.vm.has_channel || checked.agent.state == AgentLink::State::connected) continue;
    const auto token =
        co_await parts_.files([tokens = AgentTokens(tokenFolder(config_)), vm = checked.vm.uuid] {
          return tokens.act(vm, act::TokenAct::usable);
        });
    checked.token = token.value_or(false);
  }
  co_return api::DoctorAnswer{.time = up.now, .findings = decide::diagnose(up)};
}

}  // namespace virtseer::daemon

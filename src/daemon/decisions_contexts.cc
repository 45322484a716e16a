#include "base/text.h"
#include "daemon/decisions.h"

/// What foreseeing, moving away and taking in know of the daemon and of each other.
namespace virtseer::daemon {

act::MigrationContext DaemonDecisions::migrationContext() {
  return {
      .self = [this] { return inventory_.host(); },
      .vm = [this](const Uuid& vm) { return inventory_.find(vm.text()); },
      .policy =
          [this](const Uuid& uuid) {
            const auto vm = inventory_.find(uuid.text());
            return vm ? foresight_->policy(*vm).policy : Policy{};
          },
      .wellbeing = [this](const Uuid& vm) { return wellbeing(vm); },
      .moves = [this](const Uuid& vm) { return keepsakes_.moves(vm); },
      .moved =
          [this](const Uuid& vm, PastMove move) {
            keepsakes_.addMove(vm, std::move(move));
            store_.touched();
          },
      .report = parts_.report,
      .arriving = [this](const Uuid& vm) { return arrivals_->expects(vm); },
      .changing = [this](const Uuid& vm) { return enrollments_.underWay(vm); },
      .tokens = &tokens_,
      .stopped = [this] { return policies().stop; },
  };
}

act::ArrivalContext DaemonDecisions::arrivalContext() {
  return {
      .self = [this] { return inventory_.host(); },
      .room = [this] { return foresight_->room(); },
      .adopt =
          [this](const Uuid& vm, std::vector<PastMove> moves) {
            keepsakes_.adoptMoves(vm, moves);
            store_.touched();
          },
      .tokens = &tokens_,
      .changing = [this](const Uuid& vm) { return enrollments_.underWay(vm); },
      .sent = [this](const std::string& id) -> Result<Operation> {
        auto found = operations_->find(id);
        if (!found) return fail(Code::not_found, "no operation has the id " + printable(id));
        return std::move(*found);
      },
      .report = parts_.report,
  };
}

ForesightContext DaemonDecisions::foresightContext() {
  return {
      .host = [this] { return inventory_.host(); },
      .vms =
          [this] {
            std::vector<Vm> out;
            for (const auto& [uuid, vm] : inventory_.present())
              if (vm.environment == environment_.status().uri) out.push_back(vm);
            return out;
          },
      .series = [this]() -> store::SeriesStore& { return store_.series(); },
      .settings = [this]() -> store::Settings& { return store_.settings(); },
      .read =
          [this](std::function<Result<void>()> job) {
            return store_.read("history for forecasts", std::move(job));
          },
      .actions = [this]() -> platform::Actions* {
        return environment_.status().connected ? &environment_.actions() : nullptr;
      },
      .peers = [this] { return peers_.states(); },
      .flights =
          [this] {
            auto out = operations_->flights();
            for (auto& flight : arrivals_->flights()) out.push_back(std::move(flight));
            return out;
          },
      .reservations = [this] { return arrivals_->reservations(); },
      .moves = [this](const Uuid& vm) { return keepsakes_.moves(vm); },
      .maintenance = [this] { return maintenance(); },
      .policy = [this] { return policies(); },
      .carry_out = [this](const PlanStep& step) { carryOut(step); },
      .report = parts_.report,
      .dirty_rate = parts_.dirty_rate,
  };
}

}  // namespace virtseer::daemon

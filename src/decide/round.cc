#include "decide/round.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "decide/explain.h"
#include "decide/words.h"

namespace virtseer::decide {
namespace {

std::uint32_t begunWithinAnHour(const FleetView& view, const PlannerState& state, Timestamp now) {
  auto out = static_cast<std::uint32_t>(state.issued.size());
  for (const auto& host : view.hosts)
    for (const auto& vm : host.vms)
      for (const auto& move : vm.moves)
        if (move.automatic && move.outcome != MoveOutcome::refused &&
            now - move.started < std::chrono::hours(1))
          ++out;
  return out;
}

std::vector<Flight> flights(const std::vector<Issued>& issued) {
  std::vector<Flight> out;
  for (const auto& order : issued) out.push_back({"", order.vm, order.from, order.to});
  return out;
}

/// Hosts that a move left or reached just now: what they are foreseen to want is still mixed with
/// how it was before.
std::unordered_set<Uuid> justMoved(const FleetView& view, const PlannerRules& rules,
                                   Timestamp now) {
  std::unordered_set<Uuid> out;
  for (const auto& host : view.hosts)
    for (const auto& vm : host.vms)
      for (const auto& move : vm.moves) {
        if (move.outcome == MoveOutcome::refused || now - move.ended >= rules.settle) continue;
        out.insert(move.from);
        out.insert(move.to);
      }
  return out;
}

/// Highest mean of any step: what a VM is expected to want at its peak.
double expectedPeak(const Demand& demand, const Grid& grid) {
  double out = 0;
  for (std::size_t step = 0; step < grid.steps; ++step) {
    double sum = 0;
    for (std::size_t path = 0; path < grid.paths; ++path) sum += demand[path * grid.steps + step];
    out = std::max(out, sum / static_cast<double>(grid.paths));
  }
  return out;
}

}  // namespace

Round::Round(PlannerState state, bool counts, const FleetView& view,
             const PolicyConfiguration& configuration, const PlannerRules& rules, Timestamp now)
    : state_(std::move(state)),
      view_(view),
      configuration_(configuration),
      rules_(rules),
      now_(now),
      counts_(counts),
      settling_(justMoved(view, rules, now)),
      placement_(view, flights(state_.issued), rules, now),
      this_hour_(begunWithinAnHour(view, state_, now)) {}

Planned Round::run() {
  const auto self = view_.self.value_or(Uuid{});
  plan_.id = fmt::format("plan-{}-{:x}-{}", self.text().substr(0, 8),
                         now_.time_since_epoch().count(), state_.round);
  plan_.made = now_;
  plan_.round = state_.round;
  plan_.stopped = configuration_.stop;
  look();
  for (const auto& trouble : troubles()) {
    if (plan_.steps.size() >= rules_.steps) {
      plan_.reasons.push_back(
          fmt::format("{}: looked at once the {} moves planned before it are done",
                      label(placement_.hosts()[trouble.host].state->name), plan_.steps.size()));
      continue;
    }
    if (trouble.cause == StepCause::maintenance)
      empty(trouble.host);
    else
      solve(trouble);
  }
  plan_.counterfactuals = counterfactuals(plan_);
  plan_.verdict = verdict(plan_);
  return {std::move(state_), std::move(plan_)};
}

void Round::look() {
  for (std::uint32_t host = 0; host < placement_.hosts().size(); ++host) {
    const auto& row = placement_.hosts()[host];
    HostOutlook outlook;
    outlook.host = row.state->uuid;
    outlook.name = row.state->name;
    outlook.capacity_cpus = row.state->capacity.cpus;
    outlook.contention = row.contention;
    outlook.maintenance = row.state->maintenance;
    for (const auto vm : row.vms) {
      const auto& guest = placement_.vms()[vm];
      if (!runs(guest.vm->state)) continue;
      ++outlook.vms_running;
      if (!guest.forecast) ++outlook.vms_unforeseen;
    }
    if (!row.unusable.empty()) outlook.unusable = row.unusable.front().words;
    hold(host, outlook);
    plan_.hosts.push_back(std::move(outlook));
  }
}

void Round::hold(std::uint32_t host, HostOutlook& outlook) {
  const auto& row = placement_.hosts()[host];
  const auto& contention = row.contention;
  const bool short_soon = contention.until && *contention.until <= rules_.act_within;
  if (!row.unusable.empty() || !short_soon || settling_.contains(row.state->uuid)) {
    state_.holds.erase(row.state->uuid);
    return;
  }
  auto& hold = state_.holds.try_emplace(row.state->uuid, Hold{0, now_}).first->second;
  if (counts_) ++hold.rounds;
  outlook.held_rounds = hold.rounds;
}

std::vector<Round::Trouble> Round::troubles() const {
  std::vector<Trouble> out;
  for (std::uint32_t host = 0; host < placement_.hosts().size(); ++host) {
    const auto& row = placement_.hosts()[host];
    if (!row.unusable.empty() || (view_.self && row.state->uuid != *view_.self)) continue;
    const auto hold = state_.holds.find(row.state->uuid);
    if (row.state->maintenance)
      out.push_back({host, StepCause::maintenance, true});
    else if (hold != state_.holds.end())
      out.push_back({host, StepCause::contention, hold->second.rounds >= rules_.hold_rounds});
  }
  const auto key = [&](const Trouble& trouble) {
    const auto& row = placement_.hosts()[trouble.host];
    const int rank = !trouble.held ? 2 : trouble.cause == StepCause::maintenance ? 1 : 0;
    return std::tuple(rank, row.contention.until.value_or(Millis::max()),
                      -row.contention.shortage_cpus, row.state->name, row.state->uuid);
  };
  std::ranges::sort(out, [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return out;
}

void Round::share(std::uint32_t host) {
  const auto& row = placement_.hosts()[host];
  auto vms = row.vms;
  std::ranges::sort(vms, [&](std::uint32_t a, std::uint32_t b) {
    const auto& x = placement_.vms()[a];
    const auto& y = placement_.vms()[b];
    return std::tie(y.mean_cpus, x.vm->uuid) < std::tie(x.mean_cpus, y.vm->uuid);
  });
  if (vms.size() > rules_.candidates) vms.resize(rules_.candidates);
  std::vector<Demand> demands;
  for (const auto vm : vms) demands.push_back(placement_.demand(vm));
  const auto shares = shortageShares(row.sum, demands, row.state->capacity.cpus * rules_.full);
  auto& out = plan_.hosts[host].shares;
  for (std::size_t i = 0; i < vms.size(); ++i) {
    const auto& vm = placement_.vms()[vms[i]];
    out.push_back({vm.vm->uuid, vm.vm->name, shares[i], vm.mean_cpus});
  }
  std::ranges::sort(out, [](const VmShare& a, const VmShare& b) {
    return std::tie(b.share, a.vm) < std::tie(a.share, b.vm);
  });
}

void Round::solve(const Trouble& trouble) {
  share(trouble.host);
  auto choice = chooseForContention(placement_, trouble.host, configuration_, rules_, now_);
  if (choice.best)
    step(trouble, *choice.best);
  else
    plan_.reasons.push_back(
        fmt::format("{} is {}, and no move of one of its {} VMs would make that better",
                    label(placement_.hosts()[trouble.host].state->name),
                    words(placement_.hosts()[trouble.host].contention),
                    placement_.hosts()[trouble.host].vms.size()));
  reject(std::move(choice.rejected));
}

void Round::empty(std::uint32_t host) {
  // Large VMs first: small ones still find room in what is left.
  auto vms = placement_.hosts()[host].vms;
  std::ranges::sort(vms, [&](std::uint32_t a, std::uint32_t b) {
    const auto key = [&](std::uint32_t vm) {
      const auto& row = *placement_.vms()[vm].vm;
      return std::tuple(~row.memory_bytes, row.name, row.uuid);
    };
    return key(a) < key(b);
  });
  for (const auto vm : vms) {
    if (plan_.steps.size() >= rules_.steps) break;
    auto choice = chooseForMaintenance(placement_, vm, configuration_, rules_, now_);
    if (choice.best)
      step({host, StepCause::maintenance, true}, *choice.best);
    else
      plan_.reasons.push_back(fmt::format(
          "{} stays on {}, which is in maintenance: {}", label(placement_.vms()[vm].vm->name),
          label(placement_.hosts()[host].state->name), whyNowhere(choice.rejected)));
    reject(std::move(choice.rejected));
  }
}

void Round::step(const Trouble& trouble, Candidate& best) {
  const auto& source = placement_.hosts()[trouble.host];
  const auto& guest = placement_.vms()[best.vm];
  PlanStep step;
  step.id = fmt::format("{}.{}", plan_.id, plan_.steps.size() + 1);
  step.cause = trouble.cause;
  step.vm = guest.vm->uuid;
  step.vm_name = guest.vm->name;
  step.from = source.state->uuid;
  step.from_name = source.state->name;
  step.to = best.target.host;
  step.to_name = best.target.name;
  step.from_before = best.from_before;
  step.from_after = best.from_after;
  step.to_before = best.target.before;
  step.to_after = best.target.after;
  step.relief = best.relief;
  step.cost = best.target.cost;
  step.score = best.target.score;
  step.parts = std::move(best.target.parts);
  step.cpus = expectedPeak(placement_.demand(best.vm), placement_.grid());
  step.memory_bytes = guest.vm->memory_bytes;
  step.mode = best.policy.mode;
  step.reasons = reasons(step, plan_.hosts[trouble.host], rules_);
  gate(step, best, trouble.held);
  placement_.move(best.vm, best.to);
  if (step.state == StepState::due) {
    placement_.countFlight(trouble.host, best.to);
    if (trouble.cause == StepCause::contention) ++this_hour_;
  }
  if (step.executable) state_.issued.push_back({step.vm, step.from, step.to, now_});
  plan_.steps.push_back(std::move(step));
}

void Round::gate(PlanStep& step, const Candidate& best, bool held) {
  const auto would = [&](std::string otherwise) {
    step.counterfactuals.push_back("would be carried out if " + std::move(otherwise));
  };
  if (!held) {
    const auto& hold = state_.holds[step.from];
    step.state = StepState::holding;
    step.held_back = fmt::format("foreseen in {} of the {} rounds that it takes", hold.rounds,
                                 rules_.hold_rounds);
    would(fmt::format("it is still foreseen in {} more rounds", rules_.hold_rounds - hold.rounds));
  } else if (state_.round <= rules_.quiet_rounds) {
    step.state = StepState::waiting;
    step.held_back =
        fmt::format("the daemon started {} rounds ago, nothing is moved in the first {}",
                    state_.round, rules_.quiet_rounds);
    would("the daemon had run for longer");
  } else if (auto cap = capped(step); !cap.empty()) {
    step.state = StepState::waiting;
    step.held_back = std::move(cap);
    would("the moves before it were done");
  }
  auto refused = notExecutable(step, best);
  step.executable = step.state == StepState::due && refused.empty();
  if (refused.empty()) return;
  step.held_back += (step.held_back.empty() ? "" : "; ") + refused;
  if (configuration_.stop) would("the global stop were lifted");
  if (step.mode != Mode::automatic)
    would(fmt::format("its mode were auto (it is {})", name(step.mode)));
}

std::string Round::capped(const PlanStep& step) const {
  const auto busy = [&](const Uuid& uuid) -> std::string {
    const auto& host = placement_.hosts()[*placement_.host(uuid)];
    if (host.in_flight < rules_.in_flight_per_host) return "";
    return fmt::format("{} moves from or to {} are under way or planned before it, {} are allowed",
                       host.in_flight, label(host.state->name), rules_.in_flight_per_host);
  };
  if (placement_.inFlight() >= rules_.in_flight)
    return fmt::format("{} moves are under way or planned before it, {} are allowed",
                       placement_.inFlight(), rules_.in_flight);
  if (auto source = busy(step.from); !source.empty()) return source;
  if (auto target = busy(step.to); !target.empty()) return target;
  if (step.cause == StepCause::contention && this_hour_ >= rules_.per_hour)
    return fmt::format("{} moves began within an hour, {} are allowed", this_hour_,
                       rules_.per_hour);
  return "";
}

std::string Round::notExecutable(const PlanStep& step, const Candidate& best) const {
  if (configuration_.stop) return "the global stop holds";
  if (step.mode == Mode::observe) return "mode observe: nothing is moved";
  if (step.mode == Mode::suggest)
    return fmt::format("mode suggest: a person's word carries it out, 'virtseer migrate {} {}'",
                       commandName(step.vm_name, step.vm), commandName(step.to_name, step.to));
  const auto& from = *placement_.hosts()[*placement_.host(step.from)].state;
  const auto& to = *placement_.hosts()[best.to].state;
  if (best.shared_disks && !best.policy.unlocked_disks && !(from.disk_locks && to.disk_locks))
    return "its disks are shared and no lock manager guards them on both hosts";
  return "";
}

void Round::reject(std::vector<Rejection> rejected) {
  for (auto& rejection : rejected) {
    const bool told = std::ranges::any_of(plan_.rejected, [&](const Rejection& other) {
      return other.vm == rejection.vm && other.host == rejection.host && other.why == rejection.why;
    });
    if (told) continue;
    if (plan_.rejected.size() < rules_.rejections)
      plan_.rejected.push_back(std::move(rejection));
    else
      ++plan_.rejected_more;
  }
}

}  // namespace virtseer::decide

#include <fmt/format.h>

#include <algorithm>

#include "act/answers.h"
#include "act/arrival_desk.h"
#include "act/arrival_disks.h"
#include "base/text.h"
#include "decide/words.h"

// The destination's pre-flight and the claim.

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

using ArrivalPtr = std::shared_ptr<Arrival>;

constexpr std::size_t kMostChecks = 64;

Check sourceCheck(const ArrivalDesk& desk, const ReserveOrder& order) {
  const auto from = decide::label(order.from_name.empty() ? order.from.text() : order.from_name);
  if (desk.source(order.from, order.from_name))
    return {"source", true, fmt::format("the daemon of {} is among this daemon's peers", from)};
  return {"source", false,
          fmt::format("the daemon of {} is not among this daemon's peers, so it could not be asked "
                      "where the VM runs: add [[peers]] here",
                      from)};
}

/// A definition of its own may stand here only if it left it behind when it was sent away.
void judgeIdentity(const ArrivalDesk& desk, const ReserveOrder& order, const Presence& here,
                   std::vector<Check>& checks) {
  const auto found = std::ranges::find(checks, "identity", &Check::name);
  if (found == checks.end() || found->held || here.state != Presence::State::off) return;
  if (desk.sentThere(order.return_of, order.vm, order.from))
    *found = {"identity", true, "it comes back to the definition that it left here"};
}

/// What holds of the disks that stay where they are.
asio::awaitable<std::vector<Check>> lookAtDisks(ArrivalDesk* desk, ReserveOrder order) {
  HostState host;
  if (!order.storage.empty()) {
    auto means = co_await desk->here.host();
    if (!means) {
      std::vector<Check> unknown{{"storage", false,
                                  "which storage the destination reaches is not known: " +
                                      printable(means.error().message)}};
      co_return unknown;
    }
    host = std::move(*means);
  }
  co_return diskChecks(order, host);
}

asio::awaitable<Result<platform::Admission>> look(ArrivalDesk* desk, ReserveOrder order) {
  platform::Admission out;
  auto& checks = out.checks;
  checks.push_back(sourceCheck(*desk, order));
  const auto here = co_await desk->here.presence(order.vm);
  const auto admitted =
      here ? co_await desk->here.admits(order.live_xml, order.copy_storage, order.copied)
           : Result<platform::Admission>(fail(here.error()));
  if (!admitted && admitted.error().code == Code::invalid)
    co_return fail(admitted.error().in("live_xml"));
  if (!admitted) {
    checks.push_back(
        {"libvirt", false, "libvirt at the destination: " + printable(admitted.error().message)});
    co_return out;
  }
  out.copies = admitted->copies;
  checks.push_back({"libvirt", true, "libvirt at the destination answers"});
  checks.insert(checks.end(), admitted->checks.begin(), admitted->checks.end());
  judgeIdentity(*desk, order, *here, checks);
  for (auto& check : co_await lookAtDisks(desk, order)) checks.push_back(std::move(check));
  if (checks.size() > kMostChecks) {
    std::ranges::sort(checks, {}, &Check::held);
    checks.resize(kMostChecks);
  }
  co_return out;
}

/// Whether there would be room, and nothing held.
void lookAtRoom(const ArrivalDesk& desk, const ReserveOrder& order, std::vector<Check>& checks) {
  auto room = desk.context.room();
  if (room.maintenance || room.draining)
    checks.push_back(
        {"maintenance", false,
         room.maintenance ? "the host is in maintenance" : "the daemon of the host is stopping"});
  room.maintenance = room.draining = false;
  const auto other = desk.of(order.vm);
  if (other && other->operation.id != order.operation) {
    checks.push_back(
        {"room", false,
         fmt::format("operation {} brings it here already", printable(other->operation.id))});
    return;
  }
  auto ledger = desk.ledger;
  const auto held = ledger.request(
      room, roomFor(claimOf(order, desk.context.self(), desk.clock.wall())), desk.clock.wall());
  checks.push_back(
      {"room", held.has_value(), held ? "there is room for it" : printable(held.error().message)});
}

/// What a person may want all the same: cores are shared by time.
void lookAtCores(const ArrivalDesk& desk, const ReserveOrder& order, std::vector<Check>& checks) {
  const auto wanted = roomFor(claimOf(order, desk.context.self(), desk.clock.wall()));
  const auto lacking = desk.ledger.shortage(desk.context.room(), wanted);
  if (wanted.may_share && !lacking.empty())
    checks.push_back({"cores", true, lacking + ": it shares them with others"});
}

/// Its source has given the room back before this question for it came, or was answered.
bool givenUp(const ArrivalDesk& desk, const ReserveOrder& order) {
  return !order.dry_run && desk.released.contains(order.operation, desk.clock.mono());
}

std::unexpected<Error> refusedAsGivenUp(const ReserveOrder& order) {
  return fail(Code::refused,
              fmt::format("operation {} has been given up", printable(order.operation)));
}

/// An operation that asks once more gets what it has.
asio::awaitable<Result<ReserveAnswer>> again(ArrivalDesk* desk, ArrivalPtr arrival,
                                             ReserveOrder order) {
  const auto& claim = arrival->operation;
  if (!sameClaim(claim, order))
    co_return fail(Code::invalid, fmt::format("operation {} has already reserved something else",
                                              printable(order.operation)));
  if (arrival->over())
    co_return fail(Code::refused, fmt::format("operation {} has ended here: {}",
                                              printable(order.operation), claim.message));
  auto reservation = reservationOf(claim, desk->clock.wall() + desk->rules.lifetime);
  if (claim.state == OperationState::reserved) {
    auto held = desk->ledger.request(desk->context.room(), roomFor(claim), desk->clock.wall());
    if (!held) co_return fail(held.error());
    reservation = *held;
  }
  // The first answer may have been lost before the claim was on the disk.
  if (const auto kept = co_await desk->journal.write(arrival->operation); !kept)
    co_return fail(kept.error());
  if (desk->find(order.operation) != arrival || arrival->over())
    co_return fail(Code::refused, fmt::format("operation {} has ended here meanwhile",
                                              printable(order.operation)));
  co_return ReserveAnswer{{{"claim", true, "this operation holds its room already"}}, reservation};
}

asio::awaitable<Result<ReserveAnswer>> claimRoom(ArrivalDesk* desk, ReserveOrder order,
                                                 platform::Admission admitted) {
  const auto now = desk->clock.wall();
  if (const auto other = desk->of(order.vm))
    co_return fail(Code::refused,
                   fmt::format("operation {} brings {} here already",
                               printable(other->operation.id), decide::label(order.vm_name)));
  auto claim = claimOf(order, desk->context.self(), now);
  claim.record.copied_disks = std::move(admitted.copies);
  if (const auto peer = desk->source(order.from, order.from_name))
    claim.record.source_peer = peer->name();
  auto held = desk->ledger.request(desk->context.room(), roomFor(claim), now);
  if (!held) co_return fail(held.error());
  const auto arrival = std::make_shared<Arrival>(desk->loop, std::move(claim));
  desk->arrivals[order.operation] = arrival;
  if (const auto kept = co_await desk->journal.write(arrival->operation); !kept) {
    desk->ledger.release(order.operation);
    if (!arrival->over()) desk->arrivals.erase(order.operation);
    co_return fail(kept.error());
  }
  if (arrival->over()) co_return refusedAsGivenUp(order);
  desk->spawnWatch(arrival);
  desk->report(
      arrival->operation, Severity::info, "arrival.expected",
      fmt::format("{} is to come from {}", vmOf(arrival->operation), fromOf(arrival->operation)));
  co_return ReserveAnswer{std::move(admitted.checks), *held};
}

}  // namespace

asio::awaitable<Result<ReserveAnswer>> reserveHere(ArrivalDesk* desk, ReserveOrder order) {
  if (const auto fine = wellFormed(order, desk->context.self().uuid, desk->rules); !fine)
    co_return fail(fine.error());
  if (givenUp(*desk, order)) co_return refusedAsGivenUp(order);
  if (!order.dry_run)
    if (const auto known = desk->find(order.operation))
      co_return co_await again(desk, known, std::move(order));
  auto looked = co_await look(desk, order);
  if (!looked) co_return fail(looked.error());
  auto& checks = looked->checks;
  lookAtCores(*desk, order, checks);
  if (order.dry_run) lookAtRoom(*desk, order, checks);
  if (order.dry_run || !allHeld(checks)) co_return ReserveAnswer{std::move(checks), std::nullopt};
  if (desk->stopping) co_return fail(Code::refused, "the daemon of the host is stopping");
  if (givenUp(*desk, order)) co_return refusedAsGivenUp(order);
  // The same operation may have asked twice while the first question was being looked at.
  if (const auto known = desk->find(order.operation))
    co_return co_await again(desk, known, std::move(order));
  co_return co_await claimRoom(desk, std::move(order), std::move(*looked));
}

}  // namespace virtseer::act

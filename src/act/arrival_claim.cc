#include "act/arrival_claim.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ranges>

#include "act/arrival_disks.h"
#include "decide/words.h"

namespace virtseer::act {
namespace {

bool plainId(std::string_view id) {
  return std::ranges::all_of(id, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '-' || letter == '_' || letter == '.';
  });
}

/// True if the first UUID in the XML of a domain is this one; what libvirt makes of the rest is its
/// own matter.
bool describes(std::string_view xml, const Uuid& vm) {
  constexpr std::string_view kOpen = "<uuid>";
  const auto begin = xml.find(kOpen);
  if (begin == std::string_view::npos) return false;
  const auto text = xml.substr(begin + kOpen.size());
  return Uuid::parse(text.substr(0, text.find('<'))) == vm;
}

}  // namespace

Result<void> wellFormed(const ReserveOrder& order, const Uuid& self,
                        const decide::LedgerRules& rules) {
  if (order.operation.empty() || order.operation.size() > rules.longest_id ||
      !plainId(order.operation))
    return fail(Code::invalid, fmt::format("operation: 1 to {} letters, digits, '-', '_' and '.'",
                                           rules.longest_id));
  if (order.return_of.size() > rules.longest_id || !plainId(order.return_of))
    return fail(Code::invalid, "return_of: not the id of an operation");
  if (order.vm.isNil()) return fail(Code::invalid, "vm: must be a UUID");
  if (order.from.isNil()) return fail(Code::invalid, "from: must be a UUID");
  if (order.from == self) return fail(Code::invalid, "from: this is the host that is asked");
  if (order.vm_name.size() > kLongestName || order.from_name.size() > kLongestName)
    return fail(Code::invalid, fmt::format("names have at most {} bytes", kLongestName));
  if (!std::isfinite(order.cpus) || order.cpus < 0)
    return fail(Code::invalid, "cpus: must be 0 or more");
  if (order.live_xml.empty() || order.live_xml.size() > kLongestXml)
    return fail(Code::invalid, fmt::format("live_xml: 1 to {} bytes", kLongestXml));
  if (order.storage.size() > kMostStorages)
    return fail(Code::invalid, fmt::format("storage: at most {} of them", kMostStorages));
  if (!describes(order.live_xml, order.vm))
    return fail(Code::invalid, "live_xml: does not describe the VM that is named");
  return {};
}

Operation claimOf(const ReserveOrder& order, const Host& self, Timestamp now) {
  Operation claim;
  claim.id = order.operation;
  claim.kind = OperationKind::arrival;
  claim.state = OperationState::reserved;
  claim.origin = order.origin;
  claim.return_of = order.return_of;
  claim.vm = order.vm;
  claim.vm_name = order.vm_name;
  claim.from = order.from;
  claim.from_name = order.from_name;
  claim.to = self.uuid;
  claim.to_name = self.name;
  claim.copy_storage = order.copy_storage;
  claim.cpus = order.cpus;
  claim.record.may_share = order.may_share;
  claim.memory_bytes = order.memory_bytes;
  claim.created = now;
  return stepped(std::move(claim), OperationState::reserved,
                 fmt::format("room is held for {}, which is to come from {}",
                             decide::label(order.vm_name), decide::label(order.from_name)),
                 now);
}

bool sameClaim(const Operation& claim, const ReserveOrder& order) {
  return claim.vm == order.vm && claim.from == order.from &&
         claim.memory_bytes == order.memory_bytes && claim.copy_storage == order.copy_storage;
}

ReservationRequest roomFor(const Operation& claim) {
  return {claim.id,           claim.vm,
          claim.vm_name,      claim.cpus,
          claim.memory_bytes, claim.origin != OperationOrigin::plan || claim.record.may_share};
}

Reservation reservationOf(const Operation& claim, Timestamp expires) {
  return {"r-" + claim.id, claim.id,           claim.vm, claim.vm_name,
          claim.cpus,      claim.memory_bytes, expires};
}

Operation stepped(Operation claim, OperationState state, std::string note, Timestamp now) {
  const bool same =
      !claim.steps.empty() && claim.steps.back().state == state && claim.steps.back().note == note;
  if (!same) claim.steps.push_back({state, now, note});
  if (claim.steps.size() > kMostSteps) claim.steps.erase(claim.steps.begin() + 1);
  claim.state = state;
  claim.message = std::move(note);
  claim.updated = now;
  return claim;
}

Operation closed(Operation claim, OperationState state, std::string message, Timestamp now) {
  claim = stepped(std::move(claim), state, std::move(message), now);
  claim.ended = now;
  claim.suspended = false;
  return claim;
}

bool mayBeEnded(const Operation& claim) {
  return claim.record.to_be_ended ||
         std::ranges::any_of(
             claim.steps, [](const OperationStep& step) { return step.note.starts_with(kEnding); });
}

Grip gripOf(const Operation& claim) {
  if (!claim.suspended) return Grip::none;
  for (const auto& step : claim.steps | std::views::reverse) {
    if (step.note.starts_with(kSuspending)) return Grip::suspending;
    if (step.note.starts_with(kSuspended)) return Grip::suspended;
    if (step.note.starts_with(kResuming)) return Grip::resuming;
  }
  return Grip::suspending;
}

}  // namespace virtseer::act

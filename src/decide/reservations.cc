#include "decide/reservations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "decide/words.h"

namespace virtseer::decide {
namespace {

bool contains(const std::vector<Uuid>& vms, const Uuid& vm) {
  return std::ranges::find(vms, vm) != vms.end();
}

std::uint64_t left(std::uint64_t have, std::uint64_t taken) {
  return have > taken ? have - taken : 0;
}

bool same(const Reservation& held, const ReservationRequest& wanted) {
  return held.vm == wanted.vm && held.memory_bytes == wanted.memory_bytes;
}

}  // namespace

Ledger::Ledger(LedgerRules rules, std::vector<Reservation> kept) : rules_(rules) {
  std::ranges::sort(kept, [](const auto& a, const auto& b) { return a.expires > b.expires; });
  for (auto& entry : kept)
    if (entries_.size() < rules_.most) entries_.try_emplace(entry.operation, entry);
}

Result<Reservation> Ledger::request(const HostRoom& room, const ReservationRequest& wanted,
                                    Timestamp now) {
  expire(now);
  if (wanted.operation.empty() || wanted.operation.size() > rules_.longest_id)
    return fail(Code::invalid, fmt::format("the operation's id must have 1 to {} bytes, it has {}",
                                           rules_.longest_id, wanted.operation.size()));
  if (!std::isfinite(wanted.cpus) || wanted.cpus < 0 || wanted.vm.isNil())
    return fail(Code::invalid, "a reservation needs a VM and a demand of 0 cores or more");
  if (const auto held = entries_.find(wanted.operation); held != entries_.end()) {
    if (!same(held->second, wanted))
      return fail(Code::invalid,
                  fmt::format("operation {} has already reserved something else here",
                              label(wanted.operation)));
    held->second.expires = now + rules_.lifetime;
    return held->second;
  }
  if (const auto fit = fits(room, wanted); !fit) return fail(fit.error());
  Reservation out{"r-" + wanted.operation, wanted.operation, wanted.vm,
                  wanted.vm_name,          wanted.cpus,      wanted.memory_bytes,
                  now + rules_.lifetime};
  entries_.emplace(wanted.operation, out);
  return out;
}

Result<> Ledger::fits(const HostRoom& room, const ReservationRequest& wanted) const {
  if (room.maintenance || room.draining)
    return fail(Code::refused,
                room.maintenance ? "the host is in maintenance" : "the host's daemon is stopping");
  if (contains(room.present, wanted.vm))
    return fail(Code::refused, fmt::format("{} is already on this host", label(wanted.vm_name)));
  std::uint64_t memory = room.used_memory_bytes;
  for (const auto& [operation, held] : entries_) {
    if (held.vm == wanted.vm)
      return fail(Code::refused, fmt::format("operation {} already holds room for {}",
                                             label(operation), label(wanted.vm_name)));
    if (contains(room.present, held.vm)) continue;
    memory = std::max(memory, memory + held.memory_bytes);
  }
  if (entries_.size() >= rules_.most)
    return fail(Code::busy, fmt::format("{} reservations are held already", entries_.size()));
  const auto free_memory = left(room.memory_bytes, memory);
  if (wanted.memory_bytes > free_memory)
    return fail(Code::full,
                fmt::format("{} of memory wanted, {} of {} free", decide::size(wanted.memory_bytes),
                            decide::size(free_memory), decide::size(room.memory_bytes)));
  if (wanted.may_share) return {};
  if (auto lacking = shortage(room, wanted); !lacking.empty())
    return fail(Code::full, std::move(lacking));
  return {};
}

std::string Ledger::shortage(const HostRoom& room, const ReservationRequest& wanted) const {
  double cpus = room.used_cpus;
  for (const auto& [operation, held] : entries_)
    if (operation != wanted.operation && !contains(room.present, held.vm)) cpus += held.cpus;
  const double limit = room.cpus * rules_.full;
  if (cpus + wanted.cpus <= limit) return {};
  return fmt::format("{} wanted, {} of {} free", cores(wanted.cpus),
                     cores(std::max(0.0, limit - cpus)), cores(limit));
}

Result<Reservation> Ledger::renew(const std::string& operation, Timestamp now) {
  expire(now);
  const auto held = entries_.find(operation);
  if (held == entries_.end())
    return fail(Code::not_found,
                fmt::format("no reservation of operation {} is held here", label(operation)));
  held->second.expires = now + rules_.lifetime;
  return held->second;
}

void Ledger::release(const std::string& operation) {
  entries_.erase(operation);
}

std::vector<Reservation> Ledger::expire(Timestamp now) {
  std::vector<Reservation> out;
  // A clock that was set back must not lengthen a promise.
  for (auto& [operation, held] : entries_)
    held.expires = std::min(held.expires, now + rules_.lifetime);
  std::erase_if(entries_, [&](const auto& entry) {
    if (entry.second.expires > now) return false;
    out.push_back(entry.second);
    return true;
  });
  return out;
}

std::vector<Reservation> Ledger::entries() const {
  std::vector<Reservation> out;
  out.reserve(entries_.size());
  for (const auto& [operation, held] : entries_) out.push_back(held);
  return out;
}

}  // namespace virtseer::decide

#include "daemon/guest_tables.h"

#include <algorithm>

namespace virtseer::daemon {
namespace {

std::int64_t minuteOf(Timestamp time) {
  return std::chrono::floor<std::chrono::minutes>(time).time_since_epoch().count();
}

std::size_t cellsOf(const echo::Table& table) {
  return table.cells.size() + table.columns.size();
}

}  // namespace

void GuestTables::take(Uuid vm, Timestamp time, std::vector<echo::Table> tables) {
  Guest& guest = guests_[vm];
  const auto minute = minuteOf(time);
  std::vector<echo::Table> first_of_minute;
  for (echo::Table& table : tables) {
    const auto [stored, fresh] = guest.stored.try_emplace(table.name, minute);
    if (fresh || stored->second != minute) first_of_minute.push_back(table);
    stored->second = minute;
    auto& latest = guest.latest[table.name];
    latest = {time, std::move(table)};
  }
  bound(guest);
  if (!first_of_minute.empty()) append_(vm, time, std::move(first_of_minute));
}

void GuestTables::bound(Guest& guest) {
  std::size_t cells = 0;
  for (const auto& [name, kept] : guest.latest) cells += cellsOf(kept.table);
  while (guest.latest.size() > kMaxTables || (cells > kMaxCells && guest.latest.size() > 1)) {
    const auto oldest = std::ranges::min_element(
        guest.latest, {}, [](const auto& entry) { return entry.second.time; });
    cells -= cellsOf(oldest->second.table);
    guest.latest.erase(oldest);
  }
  std::erase_if(guest.stored,
                [&](const auto& entry) { return !guest.latest.contains(entry.first); });
}

const GuestTables::Latest& GuestTables::latest(Uuid vm) const {
  static const Latest kNone;
  const auto found = guests_.find(vm);
  return found == guests_.end() ? kNone : found->second.latest;
}

bool GuestTables::recalled(Uuid vm) const {
  const auto found = guests_.find(vm);
  return found != guests_.end() && found->second.recalled;
}

void GuestTables::recall(Uuid vm, std::vector<store::KeptTable> tables) {
  Guest& guest = guests_[vm];
  guest.recalled = true;
  for (auto& kept : tables) guest.latest.try_emplace(kept.table.name, std::move(kept));
  bound(guest);
}

void GuestTables::keepOnly(const std::set<Uuid>& vms) {
  std::erase_if(guests_, [&](const auto& entry) { return !vms.contains(entry.first); });
}

void GuestTables::storeSwapped() {
  for (auto& [vm, guest] : guests_) {
    guest.stored.clear();
    guest.recalled = false;
  }
}

}  // namespace virtseer::daemon

#include "agent/sources/process_units.h"

#include <unistd.h>

#include <algorithm>

#include "agent/sources/process_list.h"
#include "virtseer/echo/text.h"

namespace virtseer::agent {
namespace {

constexpr std::string_view kOtherLabel = "other";

/// The name that units made on the fly have in common: "session-12.scope" is of "session.scope".
std::string_view familyOf(std::string_view name, std::string_view& ending) {
  for (const std::string_view family : {"session-", "run-", "app-", "vte-spawn-"}) {
    if (!name.starts_with(family)) continue;
    const auto dot = name.rfind('.');
    ending = dot == name.npos ? std::string_view() : name.substr(dot);
    const auto dash = name.rfind('-', dot);
    return name.substr(0, dash);
  }
  return {};
}

std::string labelOf(ProcessUnits::Kind kind, std::string_view name) {
  if (kind == ProcessUnits::Kind::kernel) return "kernel";
  std::string_view ending;
  if (kind == ProcessUnits::Kind::service)
    if (const std::string_view family = familyOf(name, ending); !family.empty())
      return echo::cleanText(std::string(family) + std::string(ending));
  return name.empty() ? std::string(kOtherLabel) : echo::cleanText(name);
}

}  // namespace

ProcessUnits::ProcessUnits() : page_bytes_(static_cast<double>(::sysconf(_SC_PAGESIZE))) {
  units_.emplace_back();
  groups_.emplace_back().label = kOtherLabel;
}

ProcessUnits::Id ProcessUnits::join(Kind kind, std::string_view name) {
  Unit* unused = nullptr;
  for (Unit& unit : units_) {
    if (unit.kind == kind && unit.name == name) {
      ++unit.members;
      return static_cast<Id>(&unit - units_.data());
    }
    if (unit.members == 0 && &unit != units_.data() && unused == nullptr) unused = &unit;
  }
  // A unit without members keeps its place while there is room: it may come back.
  if (units_.size() < kMostUnits) {
    unused = &units_.emplace_back();
  } else if (unused == nullptr) {
    ++units_[kOther].members;
    return kOther;
  }
  *unused = {.name = std::string(name),
             .kind = kind,
             .group = groupOf(kind, name),
             .members = 1,
             .main_end = {}};
  return static_cast<Id>(unused - units_.data());
}

void ProcessUnits::leave(Id id) {
  --units_[id].members;
}

std::string_view ProcessUnits::name(Id id) const {
  const Unit& unit = units_[id];
  const bool told = unit.kind == Kind::service || unit.kind == Kind::container;
  return told ? std::string_view(unit.name) : std::string_view();
}

std::uint16_t ProcessUnits::groupOf(Kind kind, std::string_view name) {
  std::string label = labelOf(kind, name);
  for (const Group& group : groups_)
    if (group.label == label) return static_cast<std::uint16_t>(&group - groups_.data());
  const bool of_names = kind == Kind::name || kind == Kind::container;
  if (groups_.size() > kMostGroups || (of_names && groups_of_names_ >= kMostGroupsOfNames))
    return 0;
  groups_of_names_ += of_names;
  groups_.emplace_back().label = std::move(label);
  return static_cast<std::uint16_t>(groups_.size() - 1);
}

void ProcessUnits::addCpu(Id id, std::int64_t ns) {
  addUpTo(groups_[units_[id].group].cpu_ns, ns);
}

void ProcessUnits::addIo(Id id, std::uint64_t read_bytes, std::uint64_t write_bytes) {
  Group& group = groups_[units_[id].group];
  group.has_io = true;
  addUpTo(group.read_bytes, read_bytes);
  addUpTo(group.write_bytes, write_bytes);
}

void ProcessUnits::write(Round& round, std::span<const Process> processes) {
  for (Group& group : groups_) {
    group.resident_pages = 0;
    group.processes = 0;
  }
  for (const Process& process : processes) {
    if (!process.isKnown()) continue;
    Group& group = groups_[units_[process.unit].group];
    group.resident_pages += process.resident_pages;
    ++group.processes;
  }
  for (Group& group : groups_) writeGroup(round, group);
}

void ProcessUnits::writeGroup(Round& round, Group& group) const {
  const auto add = [&](Value value, std::string_view metric) {
    group.columns[value] = round.columns.add(metric, {{"unit", group.label}});
  };
  if (!group.is_told) {
    if (group.processes == 0 && group.cpu_ns == 0) return;
    group.is_told = true;
    add(cpu, "guest_unit_cpu_seconds_total");
    add(memory, "guest_unit_memory_bytes");
    add(count, "guest_unit_processes");
  }
  if (group.has_io && !group.is_io_told) {
    group.is_io_told = true;
    add(read, "guest_unit_read_bytes_total");
    add(written, "guest_unit_write_bytes_total");
  }
  const auto set = [&](Value value, double number) { round.row.set(group.columns[value], number); };
  set(cpu, static_cast<double>(group.cpu_ns / 1'000'000) / 1000);
  set(memory, static_cast<double>(group.resident_pages) * page_bytes_);
  set(count, group.processes);
  if (!group.has_io) return;
  set(read, static_cast<double>(group.read_bytes));
  set(written, static_cast<double>(group.write_bytes));
}

}  // namespace virtseer::agent

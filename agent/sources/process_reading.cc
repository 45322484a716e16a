#include <algorithm>
#include <cmath>
#include <utility>

#include "agent/sources/cgroup_unit.h"
#include "agent/sources/process_list.h"

/// The part of ProcessList that reads the files of single processes.
namespace virtseer::agent {
namespace {

/// What reading one file costs about, in microseconds.
constexpr int kReadUs = 9;
constexpr std::size_t kMostNewMains = 64;
/// CPU time within which hardly anything is read or written.
constexpr std::int64_t kIdleNs = 200'000;

}  // namespace

/// Those that were active or are new first; who finds no time is read in a later round.
void ProcessList::readDue() {
  for (const Process::Due due : {Process::Due::now, Process::Due::in_turn})
    visit(read_cursor_, processes_.size(), 0, [&](Process& process) {
      if (process.due == due && process.read_round != round_) read(process);
    });
}

void ProcessList::read(Process& process) {
  left_us_ -= kReadUs;
  process.read_round = round_;
  process.due = Process::Due::no;
  const auto text = files_.read(process.pid, "stat");
  const auto stat = text ? parseProcessStat(*text) : std::nullopt;
  if (!stat) return;
  if (process.isKnown() && process.start_ticks != stat->start_ticks) replace(process);
  const bool renamed = process.name.view() != stat->name.view();
  process.name = stat->name;
  process.parent = stat->parent;
  process.state = stat->state;
  process.threads = stat->threads;
  process.resident_pages =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(stat->resident_pages, UINT32_MAX));
  if (!process.isKnown()) {
    meet(process, *stat);
  } else {
    if (!clock_) accountCpu(process, nanoseconds(stat->cpu_ticks));
    accountChildren(process, nanoseconds(stat->children_ticks));
    if (renamed) process.has_user = false;
    // A new process is moved into its unit by its parent or by itself, mostly before it starts
    // another program, else soon after.
    if (!process.of_kernel && (renamed || (process.is_new && process.reads == 1)))
      readUnit(process);
  }
  const bool was_idle = clock_ && process.has_io && process.cpu_ns - process.read_cpu_ns < kIdleNs;
  process.read_cpu_ns = process.cpu_ns;
  process.due = Process::Due::no;
  if (process.reads < UINT8_MAX) ++process.reads;
  if (was_idle)
    process.read_rate = process.write_rate = 0;
  else if (!process.of_kernel)
    readIo(process);
  if (!process.is_settled) settle(process);
}

/// The id belongs to another process than before.
void ProcessList::replace(Process& process) {
  forget(process);
  ++counts_.started;
  Process other;
  other.pid = process.pid;
  other.is_listed = process.is_listed;
  other.looked_round = other.read_round = round_;
  other.looked_ms = now_ms_;
  if (clock_) other.cpu_ns = clock_(other.pid).value_or(0);
  process = other;
}

/// What is read of a process for the first time.
void ProcessList::meet(Process& process, const ProcessStat& stat) {
  process.of_kernel = stat.of_kernel;
  process.start_ticks = stat.start_ticks;
  process.is_new = round_ > 1 && stat.start_ticks > first_ticks_;
  process.children_ns = nanoseconds(stat.children_ticks);
  if (!clock_) accountCpu(process, nanoseconds(stat.cpu_ticks));
  readUnit(process);
  if (!process.is_new) return;
  units_.addCpu(process.unit, process.cpu_ns);
  units_.addCpu(process.unit, process.children_ns);
  process.active = 1;
  process.cpu_cores =
      static_cast<float>(static_cast<double>(process.cpu_ns) / 1e9 / ageOf(process));
}

/// In seconds, and never nothing: to be divided by.
double ProcessList::ageOf(const Process& process) const {
  return std::max(0.01, secondsSinceStart(process));
}

double ProcessList::secondsSinceStart(const Process& process) const {
  const auto ticks = static_cast<std::int64_t>(uptime_ticks_ - process.start_ticks);
  return std::max<double>(0, static_cast<double>(ticks) * static_cast<double>(tick_ns_) / 1e9);
}

/// The descendants that a process waited for are in its account when they are in no list any more:
/// what was seen of them while they lived is taken off, the rest is its unit's too.
void ProcessList::accountChildren(Process& process, std::int64_t children_ns) {
  const std::int64_t added = children_ns - process.children_ns;
  process.children_ns = children_ns;
  if (added <= 0) return;
  const std::int64_t seen = std::min(added, process.ended_children_ns);
  process.ended_children_ns -= seen;
  process.active = std::max<std::uint8_t>(process.active, 1);
  if (process.pid != 1) units_.addCpu(process.unit, added - seen);
}

void ProcessList::readUnit(Process& process) {
  using Kind = ProcessUnits::Kind;
  UnitName unit;
  if (!process.of_kernel) {
    left_us_ -= kReadUs;
    if (const auto text = files_.read(process.pid, "cgroup")) unit = unitOf(*text);
  }
  const ProcessUnits::Id id =
      process.of_kernel                        ? units_.join(Kind::kernel, {})
      : unit.kind == UnitName::Kind::service   ? units_.join(Kind::service, unit.name)
      : unit.kind == UnitName::Kind::container ? units_.join(Kind::container, unit.name)
                                               : units_.join(Kind::name, process.name.view());
  if (process.isKnown()) units_.leave(process.unit);
  process.unit = id;
}

void ProcessList::readIo(Process& process) {
  if (process.is_io_denied) return;
  left_us_ -= kReadUs;
  const auto text = files_.read(process.pid, "io");
  if (!text) {
    process.is_io_denied = text.error() == ProcessFiles::Failure::denied;
    process.read_rate = process.write_rate = Process::kUnknown;
    return;
  }
  const auto io = parseProcessIo(*text);
  if (!io) return;
  const auto since = [](std::uint64_t now, std::uint64_t before) {
    return now > before ? now - before : 0;
  };
  const bool has_begin = process.has_io || process.is_new;
  const std::uint64_t read = has_begin ? since(io->read_bytes, process.read_bytes) : 0;
  const std::uint64_t written = has_begin ? since(io->write_bytes, process.write_bytes) : 0;
  const double elapsed =
      process.has_io ? static_cast<double>(now_ms_ - process.io_ms) / 1000 : ageOf(process);
  if (has_begin && elapsed > 0) {
    process.read_rate = static_cast<float>(static_cast<double>(read) / elapsed);
    process.write_rate = static_cast<float>(static_cast<double>(written) / elapsed);
  }
  units_.addIo(process.unit, read, written);
  process.has_io = true;
  process.io_ms = now_ms_;
  process.read_bytes = io->read_bytes;
  process.write_bytes = io->write_bytes;
}

/// Says whether the process is a main one, once it is no mere copy of its parent (systemd sets a
/// name in brackets until it starts the unit's program), and the parent's unit is known.
void ProcessList::settle(Process& process) {
  const Process* parent = find(process.parent);
  const bool may_change = process.name.view().starts_with('(') ||
                          (parent != nullptr && parent != &process && !parent->isKnown());
  if (process.reads == 1 && may_change) {
    process.due = Process::Due::now;
    return;
  }
  process.is_settled = true;
  const ProcessUnits::Kind kind = units_.kind(process.unit);
  const bool in_unit = kind == ProcessUnits::Kind::service || kind == ProcessUnits::Kind::container;
  const bool is_first = in_unit && units_.members(process.unit) == 1;
  process.is_main = !process.of_kernel && (process.parent == 1 || is_first);
  if (!process.is_main || !process.is_new) return;
  if (new_mains_.size() < kMostNewMains)
    new_mains_.push_back(process.pid);
  else
    ++untold_;
}

void ProcessList::readUser(Process& process) {
  if (process.has_user) return;
  left_us_ -= kReadUs;
  const auto text = files_.read(process.pid, "status");
  const auto user = text ? parseUser(*text) : std::nullopt;
  process.has_user = user.has_value();
  process.user = user.value_or(0);
}

std::int64_t ProcessList::nanoseconds(std::uint64_t ticks) const {
  // No processor has worked for longer; keeps sums of wrong numbers within their type.
  constexpr std::uint64_t kMostTicks = 100'000'000'000;
  return static_cast<std::int64_t>(std::min(ticks, kMostTicks)) * tick_ns_;
}

void ProcessList::tally() {
  counts_.zombies = counts_.uninterruptible = counts_.io_readable = counts_.io_denied = 0;
  for (const Process& process : processes_) {
    counts_.zombies += process.state == 'Z';
    counts_.uninterruptible += process.state == 'D';
    counts_.io_readable += process.has_io;
    counts_.io_denied += process.is_io_denied;
  }
}

}  // namespace virtseer::agent

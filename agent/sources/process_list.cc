#include "agent/sources/process_list.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "agent/scan.h"

namespace virtseer::agent {
namespace {

/// What a round may cost besides the list, and what a look costs about, in microseconds.
constexpr int kRoundUs = 1000;
constexpr int kLookUs = 2;
/// Kept back from looks for reading what they find.
constexpr int kReadReserveUs = 400;

constexpr std::size_t kTurns = 8;
constexpr std::size_t kMostTold = 64;
constexpr std::uint8_t kActiveRounds = 4;
/// A process's files are read again once it used as much.
constexpr std::int64_t kWorthReadingNs = 25'000'000;
/// CPU time that no process explains: a share of one core, and what clocks and rounding may hide.
constexpr double kUnexplainedShare = 0.05;
constexpr double kUnexplainedNs = 30'000'000;

}  // namespace

ProcessList::ProcessList(ProcessUnits& units, ProcessClock clock)
    : units_(units), clock_(std::move(clock)), tick_ns_(1'000'000'000 / ::sysconf(_SC_CLK_TCK)) {}

std::expected<void, std::string> ProcessList::open(const std::string& root) {
  if (auto opened = uptime_file_.open(root + "/proc/uptime"); !opened) return opened;
  // The kernel's clocks tell of the running system, not of a tree.
  if (root.empty() && !clock_) clock_ = processCpuTime;
  (void)stat_file_.open(root + "/proc/stat");  // without it nothing is unexplained
  return files_.open(root);
}

void ProcessList::close() {
  for (const Process& process : processes_)
    if (process.isKnown()) units_.leave(process.unit);
  processes_ = {};
  ended_ = {};
  files_.close();
  sweep_ = true;
  swept_ = false;
  listed_ = unfollowed_ = 0;
  round_ = 0;
  busy_ticks_.reset();
}

bool ProcessList::update(std::int64_t now_ms, Scratch& scratch) {
  ended_.clear();
  new_mains_.clear();
  last_ms_ = std::exchange(now_ms_, now_ms);
  if (!files_.isOpen() || !readSystem(scratch)) return false;
  if (++round_ == 1) first_ticks_ = uptime_ticks_;
  left_us_ = kRoundUs;
  list();
  look();
  readDue();
  tally();
  return true;
}

/// The system's uptime, and what its processors did for processes: user, nice and system time.
bool ProcessList::readSystem(Scratch& scratch) {
  const auto uptime_text = uptime_file_.read(scratch);
  if (!uptime_text) return false;
  std::string_view line = *uptime_text;
  const auto uptime = parseDecimal(takeWord(line));
  if (!uptime || *uptime > 1e10) return false;
  uptime_ticks_ = static_cast<std::uint64_t>(*uptime * 1e9 / static_cast<double>(tick_ns_));

  used_ns_ = -1;
  const auto before = std::exchange(busy_ticks_, std::nullopt);
  const auto stat_text = stat_file_.read(scratch);
  if (!stat_text) return true;
  line = *stat_text;
  line = takeLine(line);
  if (takeWord(line) != "cpu") return true;
  busy_ticks_ = 0;
  for (int mode = 0; mode < 3; ++mode) *busy_ticks_ += takeNumber(line).value_or(0);
  if (before) used_ns_ = *busy_ticks_ > *before ? nanoseconds(*busy_ticks_ - *before) : 0;
  return true;
}

Process* ProcessList::find(std::int32_t pid) {
  const auto place = std::lower_bound(
      processes_.begin(), processes_.end(), pid,
      [](const Process& process, std::int32_t wanted) { return process.pid < wanted; });
  return place != processes_.end() && place->pid == pid ? &*place : nullptr;
}

/// Goes through the list, or the part of it that a round has time for; what is missing at its end
/// is gone.
void ProcessList::list() {
  pids_.clear();
  const bool complete = files_.list(pids_, kListedPerRound);
  if (!std::is_sorted(pids_.begin(), pids_.end())) std::sort(pids_.begin(), pids_.end());
  listed_ += pids_.size();
  std::size_t unknown = 0;
  auto place = processes_.begin();
  if (!pids_.empty())
    place =
        std::lower_bound(place, processes_.end(), pids_.front(),
                         [](const Process& known, std::int32_t pid) { return known.pid < pid; });
  for (const std::int32_t pid : pids_) {
    while (place != processes_.end() && place->pid < pid) ++place;
    if (place != processes_.end() && place->pid == pid)
      place->is_listed = sweep_;
    else
      pids_[unknown++] = pid;
  }
  add(std::span(pids_).first(unknown));
  if (!complete) return;
  dropUnlisted();
  sweep_ = !sweep_;
  swept_ = true;
  counts_.processes = std::exchange(listed_, 0);
  counts_.unfollowed = std::exchange(unfollowed_, 0);
}

void ProcessList::add(std::span<const std::int32_t> pids) {
  const std::size_t known = processes_.size();
  for (const std::int32_t pid : pids) {
    if (processes_.size() >= kMostProcesses) {
      ++unfollowed_;
      continue;
    }
    Process process;
    process.pid = pid;
    process.is_listed = sweep_;
    processes_.push_back(process);
    counts_.started += swept_;
  }
  // New ids are mostly the highest.
  if (known == 0 || known == processes_.size() || processes_[known - 1].pid < processes_[known].pid)
    return;
  std::sort(processes_.begin(), processes_.end(),
            [](const Process& a, const Process& b) { return a.pid < b.pid; });
}

void ProcessList::dropUnlisted() {
  bool any = false;
  for (const Process& process : processes_) {
    if (process.is_listed == sweep_) continue;
    any = true;
    forget(process);
  }
  if (any)
    std::erase_if(processes_, [&](const Process& process) { return process.is_listed != sweep_; });
}

void ProcessList::forget(const Process& process) {
  ++counts_.ended;
  if (!process.isKnown()) return;
  units_.leave(process.unit);
  // Its parent's account of children now holds all that it used: what was seen of it comes off.
  // Process 1 waits for everybody's orphans, whose units nobody can tell then.
  if (Process* parent = find(process.parent); parent != nullptr && parent->pid != 1) {
    for (const std::int64_t used : {process.cpu_ns, process.children_ns, process.ended_children_ns})
      addUpTo(parent->ended_children_ns, used);
    parent->due = Process::Due::now;
  }
  if (!process.is_main && process.top_rounds < kTopRounds) return;
  if (ended_.size() < kMostTold)
    ended_.push_back(process);
  else
    ++untold_;
}

void ProcessList::look() {
  explained_ns_ = 0;
  const std::size_t size = processes_.size();
  const int reserve = clock_ ? kReadReserveUs : 0;
  visit(active_cursor_, size, reserve, [&](Process& process) {
    if (process.active == 0 && process.due != Process::Due::now) return;
    if (process.active > 0) --process.active;
    lookAt(process);
  });

  visit(turn_cursor_, (size + kTurns - 1) / kTurns, reserve, [&](Process& process) {
    lookAt(process);
    // Of the kernel's threads only the state can be news: every fourth time is enough.
    const bool may_have_news = !process.of_kernel || round_ / kTurns % 4 == 0;
    if (may_have_news && process.due == Process::Due::no && process.read_round != round_)
      process.due = Process::Due::in_turn;
  });
  const bool search = isUnexplained();
  if (search) visit(turn_cursor_, size, reserve, [&](Process& process) { lookAt(process); });
  learnUnexplained(search && left_us_ > reserve);
}

/// What all processes together do not explain was used by such as lived between two rounds only;
/// it is not worth another search. `looked_at_all`: it may be more than before, else only less.
void ProcessList::learnUnexplained(bool looked_at_all) {
  const std::int64_t elapsed_ms = now_ms_ - last_ms_;
  if (used_ns_ < 0 || elapsed_ms <= 0) return;
  const double rest = static_cast<double>(used_ns_ - explained_ns_) / 1e6;
  const double share = std::max(0.0, rest / static_cast<double>(elapsed_ms));
  unexplained_share_ = looked_at_all ? share : std::min(unexplained_share_, share);
}

/// Whether the system's account shows more CPU time than the processes looked at so far used and
/// the time that goes to processes too short-lived to be seen.
bool ProcessList::isUnexplained() const {
  const std::int64_t elapsed_ms = now_ms_ - last_ms_;
  if (used_ns_ < 0 || elapsed_ms <= 0 || round_ == 1) return false;
  const double expected_ns =
      (kUnexplainedShare + unexplained_share_) * 1e6 * static_cast<double>(elapsed_ms);
  return static_cast<double>(used_ns_ - explained_ns_) > std::max(expected_ns, kUnexplainedNs);
}

void ProcessList::lookAt(Process& process) {
  if (std::exchange(process.looked_round, round_) == round_) return;
  if (!clock_) return read(process);
  left_us_ -= kLookUs;
  if (const auto cpu_ns = clock_(process.pid)) accountCpu(process, *cpu_ns);
}

void ProcessList::accountCpu(Process& process, std::int64_t cpu_ns) {
  const std::int64_t used = cpu_ns - process.cpu_ns;
  if (!process.isKnown()) {
    process.cpu_ns = cpu_ns;
    process.looked_ms = now_ms_;
    if (swept_) addUpTo(explained_ns_, used);
    return;
  }
  // Another process has this id now; its file will tell.
  if (used < 0) {
    process.due = Process::Due::now;
    return;
  }
  units_.addCpu(process.unit, used);
  addUpTo(explained_ns_, used);
  const std::int64_t elapsed_ms = now_ms_ - process.looked_ms;
  if (elapsed_ms > 0)
    process.cpu_cores = static_cast<float>(used) / 1e6F / static_cast<float>(elapsed_ms);
  // Who runs not at all reads and writes nothing.
  if (used == 0 && process.has_io) process.read_rate = process.write_rate = 0;
  process.cpu_ns = cpu_ns;
  process.looked_ms = now_ms_;
  if (used > 0) process.active = kActiveRounds;
  // Where I/O was told, it is to be seen that it stops.
  const bool is_worth_reading = cpu_ns - process.read_cpu_ns >= kWorthReadingNs ||
                                (used > 0 && process.read_rate + process.write_rate > 0);
  if (is_worth_reading && !process.of_kernel) process.due = Process::Due::now;
}

}  // namespace virtseer::agent

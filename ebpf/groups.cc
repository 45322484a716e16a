#include "ebpf/groups.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <numeric>
#include <utility>

namespace virtseer::ebpf {
namespace {

constexpr double kNsPerSecond = 1e9;

/// Together 0.65 %, and with what can be saved up less than 1 % of a core over any time from five
/// seconds on.
constexpr double kSavedNs = 2.8e6;
constexpr Programs::Terms kTerms{.parts = {{
                                     {0.003, kSavedNs, 60, 40},
                                     {0.0025, kSavedNs, 50, 20},
                                     {0.001, kSavedNs, 80, 20},
                                     {},
                                     {},
                                     {},
                                 }},
                                 .syscall_ns = 60};

/// Moves `seen` on to what a word of a board is now. Gives what was added.
double added(const __u64& word, __u64& seen) {
  const std::uint64_t now = peek(word);
  return static_cast<double>(now - std::exchange(seen, now));
}

template <std::size_t size>
void addWords(const __u64 (&words)[size], __u64 (&seen)[size], std::array<double, size>& counts,
              double factor) {
  for (std::size_t i = 0; i < size; ++i) counts[i] += added(words[i], seen[i]) * factor;
}

void addTimes(const bpf::io_times& times, bpf::io_times& seen, TimeCounts& counts, double factor) {
  addWords(times.buckets, seen.buckets, counts.buckets, factor);
  counts.seconds += added(times.sum_ns, seen.sum_ns) / kNsPerSecond * factor;
}

}  // namespace

Groups::Groups() : programs_(kTerms, *this), groups_(bpf::MAX_GROUPS), free_(bpf::MAX_GROUPS) {
  std::iota(free_.begin(), free_.end(), 0u);
}

std::string Groups::start(const std::vector<std::string>& avoided) {
  stop();
  if (std::string lacking = missingRights(); !lacking.empty()) return lacking;
  Loaded loaded = loadGroups(avoided);
  if (!loaded.failure.empty()) return std::move(loaded.failure);
  board_ =
      Pages(loaded.maps[kGroupsMap].get(), bpf::MAX_GROUPS * sizeof(bpf::group_board), 0, false);
  if (!board_) return "the groups' map cannot be mapped: " + errorText(errno);
  members_ = loaded.maps[kMembersMap].get();
  return programs_.begin(std::move(loaded), {});
}

void Groups::stop() {
  programs_.end();
  board_ = {};
  members_ = -1;
  for (std::uint32_t group = 0; group < groups_.size(); ++group)
    if (std::exchange(groups_[group], nullptr)) free_.push_back(group);
}

std::vector<Groups::PartFigures> Groups::figures() {
  std::vector<PartFigures> figures;
  for (Part& part : programs_.parts())
    figures.push_back({kPartNames[part.id()], part.takeOpenRatio(programs_.takenNs()),
                       programs_.spentSeconds(part), programs_.unlisted(part)});
  return figures;
}

std::optional<std::uint32_t> Groups::add(int pidfd, const GroupCounts& counts) {
  if (!isRunning() || free_.empty()) return std::nullopt;
  const std::uint32_t group = free_.front();
  // What an earlier group of this number did is not this one's.
  auto made = std::make_unique<Group>(board(group), counts);
  if (bpf_map_update_elem(members_, &pidfd, &group, BPF_ANY) != 0) return std::nullopt;
  free_.pop_front();
  groups_[group] = std::move(made);
  return group;
}

GroupCounts Groups::remove(std::uint32_t group, int pidfd) {
  bpf_map_delete_elem(members_, &pidfd);  // nothing is left of a process that ended
  const std::unique_ptr<Group> ended = std::exchange(groups_[group], nullptr);
  free_.push_back(group);
  return ended->counts;
}

void Groups::restart(bpf::part, const Loaded&) {}

void Groups::count(bpf::part part, const Boards&, const Duty::Taken& taken) {
  for (std::uint32_t i = 0; i < groups_.size(); ++i) {
    if (!groups_[i]) continue;
    const bpf::group_board& now = board(i);
    auto& [seen, counts] = *groups_[i];
    switch (part) {
      case bpf::PART_SYSCALLS:
        addWords(now.calls, seen.calls, counts.calls, taken.factor);
        addWords(now.errors, seen.errors, counts.errors, taken.factor);
        break;
      case bpf::PART_SCHED:
        addWords(now.waits, seen.waits, counts.waits.buckets, taken.factor);
        counts.waits.seconds += added(now.wait_ns, seen.wait_ns) / kNsPerSecond * taken.factor;
        break;
      case bpf::PART_BLOCK:
        addTimes(now.reads, seen.reads, counts.reads, taken.factor);
        addTimes(now.writes, seen.writes, counts.writes, taken.factor);
        break;
      default:
        break;
    }
  }
}

}  // namespace virtseer::ebpf

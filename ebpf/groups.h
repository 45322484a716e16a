#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebpf/histogram.h"
#include "ebpf/programs.h"

namespace virtseer::ebpf {

/// Loads the programs that count groups, in this thread: it blocks for about a second.
Loaded loadGroups(const std::vector<std::string>& avoided);

/// Waits or requests by the time that they took, and these times together. Scaled.
struct TimeCounts {
  ScaledBuckets buckets{};
  double seconds = 0;
};

/// What the members of a group did since it was made, scaled to the time in which nothing was
/// counted.
struct GroupCounts {
  std::array<double, bpf::CALL_CLASSES> calls{};
  std::array<double, bpf::MAX_ERRNO> errors{};  ///< 0: numbers that are none
  TimeCounts waits;                             ///< for a processor
  TimeCounts reads;                             ///< of block devices
  TimeCounts writes;
};

/// Counts groups of processes, each by itself: their system calls, waits for a processor, and reads
/// and writes of block devices. All of it together costs less than 1 % of a core. One thread at a
/// time; `eventFd` says when `tend` is due.
class Groups : private Counting {
 public:
  /// What a part of the programs cost.
  struct PartFigures {
    const char* part;
    double open_ratio;  ///< share of the time since the call before in which it counted
    double cost_seconds;
    std::uint64_t dropped;  ///< events that found no room
  };

  Groups();

  /// Failure: errno.
  int open() { return programs_.open(); }
  int eventFd() const { return programs_.eventFd(); }
  /// Loads and attaches the programs, and forgets all groups. Blocks. Failure: why not.
  std::string start(const std::vector<std::string>& avoided = {});
  /// Unloads them.
  void stop();
  bool isRunning() const { return programs_.isRunning(); }
  void tend() { programs_.tend(); }
  /// Has what was counted until now taken.
  void take() { programs_.take(); }
  /// What is lacking, by the names of parts; empty: nothing.
  std::string trouble() const { return programs_.trouble(); }
  std::vector<PartFigures> figures();

  /// Makes a group of one process, of all its threads, that goes on from earlier `counts`. Gives
  /// its number. Nothing: there are too many, or the process is gone.
  std::optional<std::uint32_t> add(int pidfd, const GroupCounts& counts);
  /// Ends a group. Gives its counts.
  GroupCounts remove(std::uint32_t group, int pidfd);
  const GroupCounts& counts(std::uint32_t group) const { return groups_[group]->counts; }
  std::size_t size() const { return bpf::MAX_GROUPS - free_.size(); }

 private:
  struct Group {
    bpf::group_board seen{};  ///< as it was looked at last
    GroupCounts counts;
  };

  void restart(bpf::part part, const Loaded& loaded) override;
  void count(bpf::part part, const Boards& boards, const Duty::Taken& taken) override;
  const bpf::group_board& board(std::uint32_t group) const {
    return static_cast<const bpf::group_board*>(board_.start())[group];
  }

  Programs programs_;
  Pages board_;
  int members_ = -1;  ///< the map's, held by the programs
  std::vector<std::unique_ptr<Group>> groups_;
  std::deque<std::uint32_t> free_;  ///< those that were left first come first
};

}  // namespace virtseer::ebpf

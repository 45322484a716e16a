#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ebpf/boards.h"
#include "ebpf/loaded.h"
#include "ebpf/part.h"

namespace virtseer::ebpf {

/// The parts' names, as they are told.
inline constexpr std::array<const char*, bpf::PARTS> kPartNames{
    "syscalls", "sched", "block", "connections", "services", "library"};

/// Takes what programs counted.
class Counting {
 public:
  virtual ~Counting() = default;
  /// The programs of this part were loaded anew and have counted nothing.
  virtual void restart(bpf::part part, const Loaded& loaded) = 0;
  /// Takes what was counted since the last call, and what it stands for; a factor of 0 forgets it.
  virtual void count(bpf::part part, const Boards& boards, const Duty::Taken& taken) = 0;
};

/// Programs that were loaded: attaches them, pays for them, closes and opens them, part by part.
/// To be looked after when its descriptor is readable, by one thread at a time.
class Programs {
 public:
  /// What the parts may cost, by a machine on which counting a system call takes `syscall_ns`.
  struct Terms {
    std::array<PartTerms, bpf::PARTS> parts;
    double syscall_ns;
  };

  /// `counting` outlives it.
  Programs(const Terms& terms, Counting& counting) : terms_(terms), counting_(counting) {}

  /// Failure: errno.
  int open();
  /// Readable when `tend` should be called, or `fd` is, of one that was added.
  int eventFd() const { return events_.get(); }
  void watch(int fd);

  /// Begins to count. Failure: why not.
  std::string begin(Loaded loaded, const std::vector<Uprobe>& uprobes);
  /// Detaches and unloads everything: the kernel does as the last descriptor is closed.
  void end();
  bool isRunning() const { return running_; }

  /// Looks after gates that have closed and times that are over. What costs is ended first.
  void tend();
  /// Has what was counted until now taken: the end of a round.
  void take();

  std::vector<Part>& parts() { return parts_; }
  const Boards& boards() const { return boards_; }
  const Loaded& loaded() const { return loaded_; }
  /// When the last round ended.
  std::int64_t takenNs() const { return taken_ns_; }
  /// Seconds of CPU that a part took, in all runs of the programs.
  double spentSeconds(const Part& part) const {
    return spent_before_[part.id()] + part.duty().spentSeconds();
  }
  /// Events that found no room, in all runs.
  std::uint64_t unlisted(const Part& part) const {
    return dropped_before_[part.id()] + part.unlisted(boards_);
  }
  /// Why parts are not there, or lack something, by their names; empty: nothing is amiss.
  std::string trouble() const;

 private:
  void makePart(bpf::part id, const std::vector<Uprobe>& uprobes);
  void openPart(Part& part);
  std::int64_t someTime();
  void setTimer();
  void share();

  const Terms terms_;
  Counting& counting_;
  Descriptor events_;
  Descriptor timer_;
  Loaded loaded_;
  std::array<std::string, bpf::PARTS> attaching_troubles_;
  Boards boards_;
  std::vector<Part> parts_;
  bool running_ = false;
  double slowness_ = 1;
  std::int64_t taken_ns_ = 0;
  std::int64_t round_ns_ = 5'000'000'000;
  std::uint64_t random_ = 0x9e3779b97f4a7c15;
  std::array<double, bpf::PARTS> spent_before_{};  ///< in the runs before this one
  std::array<std::uint64_t, bpf::PARTS> dropped_before_{};
};

}  // namespace virtseer::ebpf

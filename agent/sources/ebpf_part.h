#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/sources/ebpf_boards.h"
#include "agent/sources/ebpf_duty.h"

namespace virtseer::agent::ebpf {

/// The programs of one part: attached and detached together, paid for by one duty.
class Part {
 public:
  Part(bpf::part id, double run_ns, std::int64_t now_ns);

  bpf::part id() const { return id_; }
  /// `slow`: attaching and detaching waits for all processors. `link` holds it attached already.
  void add(Descriptor program, bool slow, Descriptor link);
  /// A function whose calls the first program counts.
  void addFunction(std::string path, std::uint64_t offset, std::uint32_t index) {
    functions_.push_back({std::move(path), offset, index});
    slow_ = true;
  }
  const Duty& duty() const { return duty_; }

  /// Takes what was counted until now for the start: nothing of it is told.
  void begin(const Boards& boards);
  /// Attaches, where it is not, and opens the gate. Failure: why not, and the part stays closed.
  std::string open(const Boards& boards);
  /// Looks whether the gate has closed; detaches where so many come to the closed gate that it
  /// costs more. Gives whether it is closed.
  bool noticeClosing(const Boards& boards);
  /// Pays for what ran, and lets run again what can be paid for. What is closed stays closed.
  void settle(const Boards& boards);
  /// What the part cannot use goes to those that are short of it.
  double takeSurplus() { return duty_.takeSurplus(); }
  void receive(const Boards& boards, double ns);
  bool isWorthOpening() const { return duty_.worthOpening(); }
  void setRound(std::int64_t ns) { duty_.setRound(ns); }
  std::optional<Duty::Taken> take(std::int64_t now_ns) { return duty_.take(now_ns); }

  /// The kernel measures the programs' time from here to `learnCost`, both just after `settle`.
  /// `dispatch_ns` is what it takes to get to a program, which the kernel does not measure.
  void beginMeasuring();
  void learnCost(double dispatch_ns);

  /// Events that found no room since the start.
  std::uint64_t unlisted(const Boards& boards) const;

 private:
  struct Function {
    std::string path;
    std::uint64_t offset;
    std::uint32_t index;
  };
  struct Measured {
    std::uint64_t time_ns = 0;
    std::uint64_t runs = 0;
    std::uint64_t counted = 0;
    std::uint64_t refused = 0;
  };
  bpf::gate& gate(const Boards& boards) const { return boards.board().gates[id_]; }
  std::string attach();
  double toggleClock() const;
  void detach();
  Measured measured() const;

  bpf::part id_;
  Duty duty_;
  std::vector<Descriptor> programs_;
  std::vector<Function> functions_;
  std::vector<Descriptor> links_;
  bool slow_ = false;
  bool first_ = true;       ///< attaching at the start is not paid for
  double toggling_ns_ = 0;  ///< spent on attaching and detaching, not paid for yet
  std::uint64_t runs_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t refused_at_closing_ = 0;
  std::optional<Measured> measured_before_;
};

/// The share of one core that a part may take.
double shareOf(bpf::part id);

}  // namespace virtseer::agent::ebpf

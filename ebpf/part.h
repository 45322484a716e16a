#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ebpf/boards.h"
#include "ebpf/duty.h"

namespace virtseer::ebpf {

/// What a part may cost, and what its runs are thought to.
struct PartTerms {
  double share;        ///< of one core
  double saved_ns;     ///< what can be saved up
  double run_ns;       ///< what a run costs, until some were timed
  double dispatch_ns;  ///< getting to a program and back, which is not timed
};

/// The programs of one part: attached and detached together, paid for by one duty.
class Part {
 public:
  /// `slowness`: how much longer than `terms` say things take here.
  Part(bpf::part id, const PartTerms& terms, double slowness, std::int64_t now_ns);

  bpf::part id() const { return id_; }
  /// `slow`: detaching it waits for all processors.
  void add(Descriptor program, bool slow);
  /// A function whose calls the first program counts.
  void addFunction(std::string name, std::string path, std::uint64_t offset, std::uint32_t index) {
    functions_.push_back({std::move(name), std::move(path), offset, index});
    slow_ = true;
  }
  const Duty& duty() const { return duty_; }

  /// Takes what was counted until now for the start: nothing of it is told.
  void begin(const Boards& boards);
  /// Attaches what can be, where nothing is attached.
  void attach();
  bool isAttached() const { return !links_.empty(); }
  /// Whether calls of this function (its index in the configuration) are counted.
  bool isAttached(std::uint32_t function) const;
  /// What could not be attached, and why.
  const std::string& trouble() const { return trouble_; }
  /// Opens the gate. That is to be done when everything is attached: from then on it is known for
  /// how long was counted.
  void open(const Boards& boards);
  /// Detaches everything, without waiting for other processors.
  void detach();
  /// Looks whether the programs have closed the gate.
  void notice(const Boards& boards);
  /// Pays for what ran, as long as that took, and lets run again what can be paid for. What is
  /// closed stays closed.
  void settle(const Boards& boards);
  /// What the part cannot use goes to those that are short of it.
  double takeSurplus() { return duty_.takeSurplus(); }
  void receive(const Boards& boards, double ns);
  /// Detaches what is closed where so many come to the gate that it costs more.
  void rest(std::int64_t now_ns);
  bool mayOpen(std::int64_t now_ns) const {
    return !duty_.isOpen() && now_ns >= due_ns_ && duty_.worthOpening();
  }
  /// Leaves a closed part alone until then.
  void pause(std::int64_t until_ns) { due_ns_ = until_ns; }
  /// When it is to be looked after: closed, it may be opened; open, the moments that stand for the
  /// time in which it was closed are over.
  std::int64_t dueNs() const { return due_ns_; }

  /// What was counted in a time of counting that has ended, or in those moments.
  std::optional<Duty::Taken> takeEnded(std::int64_t now_ns);
  /// What was counted until now, unless those moments are not over.
  std::optional<Duty::Taken> take(const Boards& boards, std::int64_t now_ns);
  double takeOpenRatio(std::int64_t now_ns) { return duty_.takeOpenRatio(now_ns); }

  /// Events that found no room since the start.
  std::uint64_t unlisted(const Boards& boards) const;

 private:
  struct Function {
    std::string name;
    std::string path;
    std::uint64_t offset;
    std::uint32_t index;
    bool attached = false;
  };
  bpf::gate& gate(const Boards& boards) const { return boards.board().gates[id_]; }
  void attachPrograms();
  void attachFunctions();
  void dropLinks();
  void learnCost(std::uint64_t timed, std::uint64_t timed_ns);

  bpf::part id_;
  double dispatch_ns_;
  Duty duty_;
  std::vector<Descriptor> programs_;
  std::vector<Function> functions_;
  std::vector<Descriptor> links_;
  std::string trouble_;
  bool slow_ = false;
  bool first_ = true;       ///< attaching at the start is not paid for
  double toggling_ns_ = 0;  ///< spent on attaching and detaching, not paid for yet
  std::uint64_t runs_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t timed_ = 0;
  std::uint64_t timed_ns_ = 0;
  std::uint64_t refused_at_closing_ = 0;
  std::int64_t closed_ns_ = 0;
  std::int64_t due_ns_ = 0;
  std::optional<Duty::Taken> ended_;
};

}  // namespace virtseer::ebpf

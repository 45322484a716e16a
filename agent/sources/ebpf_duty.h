#pragma once

#include <cstdint>
#include <optional>

namespace virtseer::agent::ebpf {

/// What one part of the programs may cost, and from how much of the time its counts come. Earns a
/// share of one core as time passes and spends it on runs; what was overdrawn is paid back first.
/// Pure: times are nanoseconds of the monotonic clock, handed in.
class Duty {
 public:
  /// `share` of one core; `run_ns` is what a run is thought to cost until it is measured; a run
  /// that finds its gate closed costs `refusal_part` of that.
  Duty(double share, double run_ns, double refusal_part, std::int64_t now_ns);

  /// What a run costs, measured. Ignores what cannot be.
  void setRunCost(double ns);
  double runCost() const { return run_ns_; }
  double refusalPart() const { return refusal_part_; }
  /// How long a round takes: as much can be saved up, and at least what five seconds earn.
  void setRound(std::int64_t ns);

  /// Runs counted, runs refused at the closed gate, and time taken by attaching and detaching since
  /// the call before.
  void spend(std::int64_t now_ns, std::uint64_t runs, std::uint64_t refused, double toggling_ns);
  /// What was earned beyond what can be saved up, since the call before, for others to have.
  double takeSurplus();
  /// Takes what others cannot use; at most three times what can be saved up.
  void receive(double ns);
  /// Whether it lives from hand to mouth.
  bool isShort() const { return balance_ns_ < saved_at_most_ns_ / 2; }

  /// Runs that can be paid for now.
  std::int64_t runs() const;
  /// Whether there is enough for attaching, detaching and as much again of runs.
  bool worthOpening() const;
  /// Whether so many refusals since the gate closed have cost enough for detaching to be cheaper.
  bool worthDetaching(std::uint64_t refused) const;

  void opened(std::int64_t now_ns);
  void closed(std::int64_t now_ns);
  bool isOpen() const { return open_since_ns_.has_value(); }

  /// What counts since the last taking stand for.
  struct Taken {
    double open_seconds;
    double factor;  ///< of all time to the time it was open
  };
  /// Nothing while it was never open since the last taking; the time then counts to the next.
  std::optional<Taken> take(std::int64_t now_ns);

  /// Seconds of CPU spent since the start.
  double spentSeconds() const { return spent_ns_ / 1e9; }
  /// Open time by time, over the last taking.
  double openRatio() const { return open_ratio_; }

 private:
  double share_;
  double run_ns_;
  double refusal_part_;
  double toggle_ns_ = 0;  ///< of attaching and detaching once, the last measured
  double balance_ns_;
  double saved_at_most_ns_;
  double surplus_ns_ = 0;
  double spent_ns_ = 0;
  std::int64_t earned_until_ns_;
  std::int64_t taken_until_ns_;
  std::int64_t open_ns_ = 0;
  std::optional<std::int64_t> open_since_ns_;
  double open_ratio_ = 0;
};

}  // namespace virtseer::agent::ebpf

#pragma once

#include <cstdint>
#include <optional>

namespace virtseer::ebpf {

/// What one part of the programs may cost, and what its counts stand for. Earns a share of one core
/// as time passes and spends it on runs; what was overdrawn is paid back first. As only so much can
/// be saved up, it spends over any time at most its share of that, what was saved up, and what the
/// closing of a gate cost beyond what was set aside for it.
/// Pure: times are nanoseconds of the monotonic clock, handed in.
class Duty {
 public:
  struct Terms {
    double share;       ///< of one core
    double saved_ns;    ///< what can be saved up, and is at the beginning
    double run_ns;      ///< what a run is thought to cost until it is measured
    double refusal_ns;  ///< what one costs that finds its gate closed
  };
  Duty(const Terms& terms, std::int64_t now_ns);

  /// What a run costs, measured. Ignores what cannot be.
  void setRunCost(double ns);
  double runCost() const { return run_ns_; }

  /// Runs counted, runs refused at the closed gate, and time taken by attaching and detaching since
  /// the call before.
  void spend(std::int64_t now_ns, std::uint64_t runs, std::uint64_t refused, double toggling_ns);
  /// What was earned beyond what can be saved up, since the call before, for others to have.
  double takeSurplus();
  /// Takes what others cannot use, as far as it can be saved up.
  void receive(double ns);
  /// Whether it lives from hand to mouth.
  bool isShort() const { return balance_ns_ < saved_at_most_ns_ / 2; }

  /// Runs that can be paid for now, with what it will cost to close the gate set aside.
  std::int64_t runs() const;
  /// Whether there is enough for a time of counting that is worth its beginning and end.
  bool worthOpening() const;
  /// Whether so many refusals in the time since the gate closed cost, or will soon have cost, more
  /// than detaching.
  bool worthDetaching(std::uint64_t refused, std::int64_t since_ns) const;

  /// What counts stand for: they are those of a part of these seconds, and `factor` times as many
  /// are taken to have been in all of them.
  struct Taken {
    double seconds;
    double factor;
  };
  /// Counting begins, after a time in which it did not: what is counted until the next taking
  /// stands for that time too. Gives its nanoseconds.
  std::int64_t opened(std::int64_t now_ns);
  /// Counting ends.
  Taken closed(std::int64_t now_ns);
  /// What was counted until now, while it goes on; nothing while it does not.
  std::optional<Taken> take(std::int64_t now_ns);
  bool isOpen() const { return open_since_ns_.has_value(); }

  /// Time of counting by time, since the call before.
  double takeOpenRatio(std::int64_t now_ns);
  /// Seconds of CPU spent since the start.
  double spentSeconds() const { return spent_ns_ / 1e9; }

 private:
  double share_;
  double run_ns_;
  double refusal_ns_;
  double toggle_ns_ = 0;   ///< of attaching or detaching once, the dearest of late
  double closing_ns_ = 0;  ///< refusals, attaching and detaching since counting began last
  double reserve_ns_ = 0;  ///< the same, the dearest of late: set aside
  double balance_ns_;
  double saved_at_most_ns_;
  double surplus_ns_ = 0;
  double spent_ns_ = 0;
  std::int64_t earned_until_ns_;
  std::int64_t taken_until_ns_;
  std::int64_t ratio_since_ns_;
  std::int64_t open_ns_ = 0;  ///< since then
  std::optional<std::int64_t> open_since_ns_;
};

}  // namespace virtseer::ebpf

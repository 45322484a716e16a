#pragma once

#include <atomic>
#include <cstdint>
#include <string>

/// What the children of a load do. Each runs until the duration is over and never needs more than
/// its share: what the host held back for more than a moment is not caught up on.
namespace virtseer::agent {

/// How a load rises: linearly from nothing to full over the ramp, then level to the end.
struct Ramp {
  double ramp_seconds = 0;
  double duration_seconds = 0;

  /// The part of the full load that is due at `t` seconds, 0 to 1.
  double share(double t) const;
  /// Seconds of full load that are due from the start up to `t`.
  double area(double t) const;
};

/// Paces work that is measured in some amount: how much of it is owed now.
class Pace {
 public:
  /// `rate` per second at full load; a debt beyond `most_debt` is forgiven.
  Pace(Ramp ramp, double rate, double most_debt)
      : ramp_(ramp), rate_(rate), most_debt_(most_debt) {}

  /// The amount owed at `t`, if `done` of it was done so far; not above the most.
  double owed(double t, double done);

 private:
  Ramp ramp_;
  double rate_;
  double most_debt_;
  double forgiven_ = 0;
};

/// The fixed amount of integer work that one of `guest_work_units_total` stands for, about a
/// millisecond on a core of today. Gives a value that depends on all of it.
std::uint64_t workUnit(std::uint64_t seed);

/// Uses `cores` (0 to 1) of a core's time and counts the units finished.
void cpuWork(Ramp ramp, double cores, std::atomic<std::uint64_t>& units);

/// Touches memory with content that does not compress, keeps it, and touches all of it again about
/// once a minute. The kernel is told to kill this process first.
void memoryWork(Ramp ramp, std::uint64_t bytes);

/// Writes past the page cache, in place, to a file that it allocates once.
void diskWork(Ramp ramp, std::uint64_t bytes_per_second, const std::string& file);

}  // namespace virtseer::agent

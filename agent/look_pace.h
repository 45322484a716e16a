#pragma once

#include <algorithm>
#include <cmath>

namespace virtseer::agent {

/// Spaces out looks that can be dear, by what the last one cost.
class LookPace {
 public:
  /// What looks may cost per round on average, in microseconds of CPU, as far as kMostRounds
  /// allows.
  static constexpr double kBudget = 200;
  static constexpr int kLeastWhenDear = 3;
  static constexpr int kMostRounds = 12;

  /// To be asked once a round: whether this one is for looking.
  bool due() { return --rounds_left_ <= 0; }

  /// The next look comes as many rounds from now as keep to the budget.
  void took(double microseconds) {
    if (microseconds <= kBudget) {
      rounds_left_ = 1;
    } else {
      const double rounds = std::min(std::ceil(microseconds / kBudget), double{kMostRounds});
      rounds_left_ = std::max(static_cast<int>(rounds), kLeastWhenDear);
    }
  }
  /// It is no use to look soon again.
  void failed() { rounds_left_ = kMostRounds; }

 private:
  int rounds_left_ = 0;
};

}  // namespace virtseer::agent

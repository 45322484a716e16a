#include "agent/sources/ebpf_duty.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace virtseer::agent::ebpf {
namespace {

constexpr double kSecond = 1e9;
constexpr double kLeastSavedNs = 5 * kSecond;
constexpr double kLeastRunNs = 5;
constexpr double kMostRunNs = 1e6;

}  // namespace

Duty::Duty(double share, double run_ns, double refusal_part, std::int64_t now_ns)
    : share_(share),
      run_ns_(run_ns),
      refusal_part_(refusal_part),
      balance_ns_(share * kSecond),
      saved_at_most_ns_(share * kLeastSavedNs),
      earned_until_ns_(now_ns),
      taken_until_ns_(now_ns) {}

void Duty::setRunCost(double ns) {
  if (!std::isfinite(ns)) return;
  run_ns_ = std::clamp(ns, kLeastRunNs, kMostRunNs);
}

void Duty::setRound(std::int64_t ns) {
  saved_at_most_ns_ = share_ * std::clamp(static_cast<double>(ns), kLeastSavedNs, 60 * kSecond);
}

void Duty::spend(std::int64_t now_ns, std::uint64_t runs, std::uint64_t refused,
                 double toggling_ns) {
  const double spent = static_cast<double>(runs) * run_ns_ +
                       static_cast<double>(refused) * run_ns_ * refusal_part_ + toggling_ns;
  const auto passed = static_cast<double>(std::max<std::int64_t>(now_ns - earned_until_ns_, 0));
  earned_until_ns_ = std::max(now_ns, earned_until_ns_);
  balance_ns_ -= spent;
  const double room = std::max(saved_at_most_ns_ - balance_ns_, 0.0);
  balance_ns_ += std::min(passed * share_, room);
  surplus_ns_ += std::max(passed * share_ - room, 0.0);
  spent_ns_ += spent;
  if (toggling_ns > 0) toggle_ns_ = std::max(toggling_ns, toggle_ns_ * 0.9);
}

double Duty::takeSurplus() {
  return std::exchange(surplus_ns_, 0);
}

void Duty::receive(double ns) {
  balance_ns_ = std::max(balance_ns_, std::min(balance_ns_ + ns, 3 * saved_at_most_ns_));
}

std::int64_t Duty::runs() const {
  return static_cast<std::int64_t>(std::max(balance_ns_, 0.0) / run_ns_);
}

bool Duty::worthOpening() const {
  return balance_ns_ > std::min(4 * toggle_ns_, saved_at_most_ns_ * 0.75);
}

bool Duty::worthDetaching(std::uint64_t refused) const {
  return static_cast<double>(refused) * run_ns_ * refusal_part_ > toggle_ns_ / 2;
}

void Duty::opened(std::int64_t now_ns) {
  if (!open_since_ns_) open_since_ns_ = now_ns;
}

void Duty::closed(std::int64_t now_ns) {
  if (!open_since_ns_) return;
  open_ns_ += std::max<std::int64_t>(now_ns - *open_since_ns_, 1);
  open_since_ns_.reset();
}

std::optional<Duty::Taken> Duty::take(std::int64_t now_ns) {
  if (const auto since = open_since_ns_) {
    closed(now_ns);
    open_since_ns_ = std::max(*since, now_ns);
  }
  const std::int64_t all = now_ns - taken_until_ns_;
  if (open_ns_ <= 0 || all <= 0) {
    open_ratio_ = 0;
    return std::nullopt;
  }
  const std::int64_t open = std::min(open_ns_, all);
  open_ratio_ = static_cast<double>(open) / static_cast<double>(all);
  open_ns_ = 0;
  taken_until_ns_ = now_ns;
  return Taken{static_cast<double>(open) / kSecond, 1 / open_ratio_};
}

}  // namespace virtseer::agent::ebpf

#include "ebpf/duty.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace virtseer::ebpf {
namespace {

constexpr double kSecond = 1e9;
constexpr double kLeastRunNs = 5;
constexpr double kMostRunNs = 1e6;
/// Of what is kept of the dearest closing with each that is cheaper.
constexpr double kFading = 0.9;

}  // namespace

Duty::Duty(const Terms& terms, std::int64_t now_ns)
    : share_(terms.share),
      run_ns_(terms.run_ns),
      refusal_ns_(terms.refusal_ns),
      balance_ns_(terms.saved_ns),
      saved_at_most_ns_(terms.saved_ns),
      earned_until_ns_(now_ns),
      taken_until_ns_(now_ns),
      ratio_since_ns_(now_ns) {}

void Duty::setRunCost(double ns) {
  if (!std::isfinite(ns)) return;
  run_ns_ = std::clamp(ns, kLeastRunNs, kMostRunNs);
}

void Duty::spend(std::int64_t now_ns, std::uint64_t runs, std::uint64_t refused,
                 double toggling_ns) {
  const double beside = static_cast<double>(refused) * refusal_ns_ + toggling_ns;
  const double spent = static_cast<double>(runs) * run_ns_ + beside;
  const auto passed = static_cast<double>(std::max<std::int64_t>(now_ns - earned_until_ns_, 0));
  earned_until_ns_ = std::max(now_ns, earned_until_ns_);
  balance_ns_ -= spent;
  const double room = std::max(saved_at_most_ns_ - balance_ns_, 0.0);
  balance_ns_ += std::min(passed * share_, room);
  surplus_ns_ += std::max(passed * share_ - room, 0.0);
  spent_ns_ += spent;
  closing_ns_ += beside;
  if (toggling_ns > 0) toggle_ns_ = std::max(toggling_ns, toggle_ns_ * kFading);
}

double Duty::takeSurplus() {
  return std::exchange(surplus_ns_, 0);
}

void Duty::receive(double ns) {
  balance_ns_ = std::max(balance_ns_, std::min(balance_ns_ + ns, saved_at_most_ns_));
}

std::int64_t Duty::runs() const {
  const double reserve = std::min(reserve_ns_, saved_at_most_ns_ / 2);
  return static_cast<std::int64_t>(std::max(balance_ns_ - reserve, 0.0) / run_ns_);
}

bool Duty::worthOpening() const {
  return balance_ns_ >
         std::clamp(2 * reserve_ns_, saved_at_most_ns_ / 4, saved_at_most_ns_ * 3 / 4);
}

bool Duty::worthDetaching(std::uint64_t refused, std::int64_t since_ns) const {
  const double cost = static_cast<double>(refused) * refusal_ns_;
  const double in_a_second =
      cost * kSecond / static_cast<double>(std::max<std::int64_t>(since_ns, 1));
  return cost > toggle_ns_ / 2 || in_a_second > 4 * toggle_ns_;
}

std::int64_t Duty::opened(std::int64_t now_ns) {
  if (open_since_ns_) return 0;
  open_since_ns_ = std::max(now_ns, taken_until_ns_);
  reserve_ns_ = std::max(closing_ns_, reserve_ns_ * kFading);
  closing_ns_ = 0;
  return *open_since_ns_ - taken_until_ns_;
}

Duty::Taken Duty::closed(std::int64_t now_ns) {
  const auto taken = take(now_ns);
  open_since_ns_.reset();
  return taken.value_or(Taken{0, 1});
}

std::optional<Duty::Taken> Duty::take(std::int64_t now_ns) {
  if (!open_since_ns_) return std::nullopt;
  // A clock that has not moved would make of what was counted infinitely much.
  const std::int64_t until = std::max(now_ns, *open_since_ns_ + 1000);
  const std::int64_t open = until - *open_since_ns_;
  const std::int64_t all = until - taken_until_ns_;
  open_ns_ += open;
  open_since_ns_ = taken_until_ns_ = until;
  return Taken{static_cast<double>(all) / kSecond,
               static_cast<double>(all) / static_cast<double>(open)};
}

double Duty::takeOpenRatio(std::int64_t now_ns) {
  const auto all = static_cast<double>(std::max<std::int64_t>(now_ns - ratio_since_ns_, 1));
  const auto open = static_cast<double>(std::exchange(open_ns_, 0));
  ratio_since_ns_ = now_ns;
  return std::min(open / all, 1.0);
}

}  // namespace virtseer::ebpf

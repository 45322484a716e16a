#include "predict/conformal.h"

#include <algorithm>
#include <cmath>

namespace virtseer::predict {
namespace {

constexpr float kLearning = 0.005f;
constexpr double kFading = 0.9986;  // 0.5^(1/500)
constexpr std::array<double, 3> kConvention{0.0, 1.5, 4.0};
constexpr std::array<double, 4> kErrors{0.5, 0.8, 1.0, 1.0};
constexpr std::array<double, 4> kSpreads{0.5, 1.5, 4.0, 6.0};

}  // namespace

void Residuals::add(float residual) {
  if (!std::isfinite(residual)) return;
  if (arrived_.size() < capacity_) {
    arrived_.push_back(residual);
  } else {
    sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), arrived_[next_]));
    arrived_[next_] = residual;
    next_ = (next_ + 1) % capacity_;
  }
  sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), residual), residual);
}

std::optional<double> Residuals::quantile(double level) const {
  // The last digits of a binary fraction must not push a whole number over the next.
  const double place = std::ceil(static_cast<double>(sorted_.size() + 1) * level - 1e-9);
  if (place > static_cast<double>(sorted_.size())) return std::nullopt;
  return sorted_[static_cast<std::size_t>(std::max(place, 1.0)) - 1];
}

void Residuals::write(ByteWriter& out) const {
  out.put(static_cast<std::uint32_t>(arrived_.size()));
  for (std::size_t i = 0; i < arrived_.size(); ++i)
    out.put(arrived_[(next_ + i) % arrived_.size()]);
}

void Residuals::read(ByteReader& in) {
  arrived_.resize(in.count(sizeof(float), capacity_));
  for (auto& residual : arrived_) residual = in.finite<float>();
  next_ = 0;
  sorted_ = arrived_;
  std::sort(sorted_.begin(), sorted_.end());
}

std::size_t outcomesNeeded(double q) {
  return static_cast<std::size_t>(std::ceil(5 / (1 - q) - 1e-9));
}

TargetCalibration::TargetCalibration() : residuals_(kOwn) {
  for (std::size_t i = 0; i < miss_.size(); ++i) miss_[i] = static_cast<float>(1 - kQuantiles[i]);
}

void TargetCalibration::add(double error, double spread,
                            const std::array<std::optional<bool>, 4>& exceeded) {
  residuals_.add(static_cast<float>(error / spread));
  largest_error_ = std::max(largest_error_ * kFading, std::abs(error));
  for (std::size_t i = 0; i < miss_.size(); ++i) {
    if (!exceeded[i]) continue;
    const auto wanted = static_cast<float>(1 - kQuantiles[i]);
    const float moved = miss_[i] + kLearning * (wanted - (*exceeded[i] ? 1.0f : 0.0f));
    miss_[i] = std::clamp(moved, 0.0f, std::min(4 * wanted, 0.9f));
  }
}

double TargetCalibration::furthest(std::size_t i, double spread) const {
  const double doubt = residuals_.size() < outcomesNeeded(kQuantiles[2]) ? 2 : 1;
  return std::max(kErrors[i] * largest_error_, doubt * kSpreads[i] * spread);
}

std::optional<double> TargetCalibration::quantile(std::size_t i) const {
  if (residuals_.size() < outcomesNeeded(kQuantiles[i])) return std::nullopt;
  if (const auto found = residuals_.quantile(1 - static_cast<double>(miss_[i]))) return found;
  // Asked for more than the outcomes can show: as far beyond the largest as p80 is below it.
  const double largest = residuals_.largest();
  return largest + std::max(0.0, largest - residuals_.quantile(0.8).value_or(largest));
}

void TargetCalibration::write(ByteWriter& out) const {
  residuals_.write(out);
  for (const float miss : miss_) out.put(miss);
  out.put(largest_error_);
}

void TargetCalibration::read(ByteReader& in) {
  residuals_.read(in);
  for (float& miss : miss_) {
    miss = in.finite<float>();
    if (miss < 0 || miss > 1) in.fail();
  }
  largest_error_ = in.finite<double>();
  if (largest_error_ < 0) in.fail();
}

Band band(const TargetCalibration& own, const Residuals& pool, bool settled) {
  Band out;
  for (std::size_t i = 0; i < kQuantiles.size(); ++i) {
    const auto mine = own.quantile(i);
    std::optional<double> others;
    if (pool.size() >= outcomesNeeded(kQuantiles[i])) others = pool.quantile(kQuantiles[i]);
    std::optional<double> offset = mine;
    if (!mine || !settled) {
      if (!others && i < 3) others = kConvention[i];
      if (others) offset = mine ? std::max(*mine, *others) : *others;
    }
    if (i < 3)
      out.offset[i] = *offset;
    else
      out.p99 = offset;
  }
  if (own.quantile(2)) {
    out.calibration = Calibration::own;
    out.outcomes = static_cast<std::uint32_t>(own.size());
  } else if (pool.size() >= outcomesNeeded(kQuantiles[2])) {
    out.calibration = Calibration::pooled;
    out.outcomes = static_cast<std::uint32_t>(pool.size());
  } else {
    out.outcomes = static_cast<std::uint32_t>(own.size());
  }
  return out;
}

}  // namespace virtseer::predict

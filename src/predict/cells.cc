#include "predict/cells.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace virtseer::predict {
namespace {

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

}  // namespace

Cells::Cells(std::size_t capacity, std::int64_t fold)
    : fold_(std::max<std::int64_t>(fold, 1)),
      mean_(std::max<std::size_t>(capacity, 1), kNone),
      peak_(mean_.size(), kNone) {}

void Cells::add(Step step) {
  if (step.index <= last_step_ || !std::isfinite(step.value)) return;
  last_step_ = step.index;
  const std::int64_t cell = step.index / fold_;
  if (cell != open_) {
    close();
    open_ = cell;
  }
  high_ = steps_ == 0 ? step.value : std::max(high_, step.value);
  sum_ += step.value;
  ++steps_;
  if (step.index == (cell + 1) * fold_ - 1) close();
}

void Cells::clear() {
  size_ = 0, end_ = 0, open_ = -1, last_step_ = -1, steps_ = 0, sum_ = 0;
}

void Cells::close() {
  if (steps_ > 0 && 2 * steps_ >= fold_)
    put(open_, static_cast<float>(sum_ / static_cast<double>(steps_)), high_);
  steps_ = 0, sum_ = 0;
}

void Cells::put(std::int64_t index, float mean, float peak) {
  const auto capacity = static_cast<std::int64_t>(mean_.size());
  if (size_ == 0 || index - end_ >= capacity) {
    size_ = 0;
    end_ = begun_ = index;
  }
  for (; end_ < index; ++end_) {
    mean_[slot(end_)] = peak_[slot(end_)] = kNone;
    ++size_;
  }
  mean_[slot(index)] = mean;
  peak_[slot(index)] = peak;
  end_ = index + 1;
  size_ = std::min(size_ + 1, mean_.size());
}

void Cells::copy(std::vector<float>& mean, std::vector<float>& peak) const {
  mean.resize(size_);
  peak.resize(size_);
  for (std::size_t i = 0; i < size_; ++i) {
    const std::size_t at = slot(end_ - static_cast<std::int64_t>(size_ - i));
    mean[i] = mean_[at];
    peak[i] = peak_[at];
  }
}

Cells::Window Cells::window(std::int64_t from, std::int64_t to) const {
  Window out;
  for (auto i = std::max(from, end_ - static_cast<std::int64_t>(size_)); i < std::min(to, end_);
       ++i) {
    const float mean = mean_[slot(i)];
    if (std::isnan(mean)) continue;
    out.peak = out.known == 0 ? peak_[slot(i)] : std::max<double>(out.peak, peak_[slot(i)]);
    out.mean += mean;
    ++out.known;
  }
  if (out.known > 0) out.mean /= static_cast<double>(out.known);
  return out;
}

void Cells::write(ByteWriter& out) const {
  out.put<std::int64_t>(end_);
  out.put(static_cast<std::uint32_t>(size_));
  for (auto i = end_ - static_cast<std::int64_t>(size_); i < end_; ++i) {
    out.put(mean_[slot(i)]);
    out.put(peak_[slot(i)]);
  }
  out.put(open_);
  out.put(last_step_);
  out.put(steps_);
  out.put(sum_);
  out.put(high_);
}

void Cells::read(ByteReader& in) {
  clear();
  const auto end = in.take<std::int64_t>();
  const auto count = in.count(2 * sizeof(float), mean_.size());
  if (end < static_cast<std::int64_t>(count) || end > kLastIndex) return in.fail();
  end_ = end;
  size_ = count;
  begun_ = count < mean_.size() ? end - static_cast<std::int64_t>(count) : -kLastIndex;
  for (auto i = end - static_cast<std::int64_t>(count); i < end; ++i) {
    mean_[slot(i)] = in.take<float>();
    peak_[slot(i)] = in.take<float>();
    if (!std::isfinite(mean_[slot(i)]) || !std::isfinite(peak_[slot(i)]))
      mean_[slot(i)] = peak_[slot(i)] = kNone;
  }
  open_ = in.take<std::int64_t>();
  last_step_ = in.take<std::int64_t>();
  steps_ = in.take<std::int64_t>();
  sum_ = in.finite<double>();
  high_ = in.finite<float>();
  if (last_step_ < -1 || last_step_ > kLastIndex || steps_ < 0 || steps_ > fold_) return in.fail();
  if (steps_ > 0 && (open_ < end_ || open_ != last_step_ / fold_)) in.fail();
}

}  // namespace virtseer::predict

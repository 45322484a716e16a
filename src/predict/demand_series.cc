#include "predict/demand_series.h"

#include <algorithm>
#include <cmath>

namespace virtseer::predict {
namespace {

constexpr int kStaleUntilRestart = 10;

}  // namespace

std::optional<Point> CpuDemand::add(Timestamp time, double used_s, std::optional<double> delay_s) {
  if (!std::isfinite(used_s)) return std::nullopt;
  if (delay_s && !std::isfinite(*delay_s)) delay_s.reset();
  const auto before = last_;
  if (before && time <= before->time) return std::nullopt;
  last_ = Reading{time, used_s, delay_s};
  if (!before || used_s < before->used_s) return std::nullopt;
  double wanted = used_s - before->used_s;
  if (delay_s && before->delay_s) {
    if (*delay_s < *before->delay_s) return std::nullopt;
    wanted += *delay_s - *before->delay_s;
  }
  return Point{time, wanted / std::chrono::duration<double>(time - before->time).count()};
}

DemandSeries::DemandSeries(Millis step, Millis max_gap)
    : step_(std::max(step, Millis(1))),
      max_gap_(max_gap > Millis(0) ? max_gap : std::max(3 * step_, Millis(15'000))) {}

DemandSeries::Taken DemandSeries::add(Timestamp time, double value, std::vector<Step>& done) {
  const std::int64_t now = time.time_since_epoch().count();
  auto taken = Taken::yes;
  if (now < 0 || (last_ms_ && now <= *last_ms_)) {
    ++dropped_;
    if (now < 0 || ++stale_ < kStaleUntilRestart) return Taken::dropped;
    last_ms_.reset();
    sum_ = 0, covered_ms_ = 0;
    taken = Taken::restarted;
  }
  stale_ = 0;
  const bool gap = !last_ms_ || now - *last_ms_ > max_gap_.count();
  const std::int64_t from = gap ? std::max<std::int64_t>(0, now - step_.count()) : *last_ms_;
  last_ms_ = now;
  if (std::isfinite(value)) cover(from, now, std::max(value, 0.0), done);
  return taken;
}

void DemandSeries::cover(std::int64_t from_ms, std::int64_t to_ms, double value,
                         std::vector<Step>& done) {
  const std::int64_t step = step_.count();
  while (from_ms < to_ms) {
    const std::int64_t index = from_ms / step;
    if (index != open_) {
      close(done);
      open_ = index;
    }
    const std::int64_t until = std::min(to_ms, (index + 1) * step);
    sum_ += value * static_cast<double>(until - from_ms);
    covered_ms_ += until - from_ms;
    from_ms = until;
    if (until == (index + 1) * step) close(done);
  }
}

void DemandSeries::close(std::vector<Step>& done) {
  if (covered_ms_ > 0 && 2 * covered_ms_ >= step_.count())
    done.push_back({open_, static_cast<float>(sum_ / static_cast<double>(covered_ms_))});
  sum_ = 0, covered_ms_ = 0;
}

}  // namespace virtseer::predict

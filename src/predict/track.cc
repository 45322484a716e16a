#include "predict/track.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>

#include "predict/beginning.h"

namespace virtseer::predict {
namespace {

/// Until then a forecast is made for every cell, so that a new VM learns soon.
constexpr std::size_t kYoung = 128;
/// Own outcomes count alone once they span so many horizons.
constexpr std::int64_t kSettledHorizons = 4;

/// A guest has booted, and found to its work, by then; what it wants for longer it may want again.
constexpr Millis kLongestBoot{5 * 60'000};
/// Cells that must have passed since, whatever the horizon.
constexpr std::size_t kLeastSettling = 12;

/// Errors below these are of no interest: cores, bytes, bytes/s, bytes/s.
constexpr std::array<double, kResources> kFloor{0.01, 1 << 20, 16 << 10, 4 << 10};

std::string words(Millis span) {
  const double s = std::chrono::duration<double>(span).count();
  if (s < 120) return fmt::format("{:.0f} s", s);
  if (s < 7200) return fmt::format("{:.0f} min", s / 60);
  return fmt::format("{:.0f} h", s / 3600);
}

std::array<std::optional<bool>, 4> exceeded(const Quantiles& said, double truth) {
  std::array<std::optional<bool>, 4> out{exceeds(truth, said.p50), exceeds(truth, said.p80),
                                         exceeds(truth, said.p95), std::nullopt};
  if (said.p99) out[3] = exceeds(truth, *said.p99);
  return out;
}

/// The maximum is never below the mean, so neither are its quantiles.
void raise(Quantiles& peak, const Quantiles& level) {
  peak.p50 = std::max(peak.p50, level.p50);
  peak.p80 = std::max(peak.p80, level.p80);
  peak.p95 = std::max(peak.p95, level.p95);
  if (peak.p99) peak.p99 = std::max({*peak.p99, level.p99.value_or(0), peak.p95});
}

}  // namespace

Horizon::Horizon(Millis length, Millis step)
    : length_(std::max(length, step)),
      fold_(std::max<std::int64_t>(1, (length_ / step + 30) / 60)),
      cell_(fold_ * step),
      forecasters_(static_cast<std::size_t>((length_ + cell_ / 2) / cell_)) {}

std::size_t Horizon::boot() const {
  return std::min(cells(), static_cast<std::size_t>((kLongestBoot + cell_ - Millis(1)) / cell_));
}

std::size_t Horizon::settling() const {
  return std::max(cells() / 2, kLeastSettling);
}

Track::Track(const Horizon& horizon) : cells_(horizon.capacity(), horizon.fold()) {}

void Track::restart() {
  cells_.clear();
  scorer_.forgetPending();
  issued_ = first_scored_ = -1;
  seen_ = {};
}

std::size_t Track::known(const Horizon& horizon) const {
  const auto capacity = static_cast<std::int64_t>(horizon.capacity());
  return cells_.window(cells_.end() - capacity, cells_.end()).known;
}

const Track::Seen& Track::look(const Horizon& horizon, const TrackOwner& owner) const {
  if (seen_.end == cells_.end() && seen_.bound == owner.bound) return seen_;
  std::vector<float> mean, peak;
  cells_.copy(mean, peak);
  seen_.end = cells_.end();
  seen_.bound = owner.bound;
  seen_.upper = std::numeric_limits<double>::infinity();
  if (owner.bound) {
    seen_.upper = *owner.bound;
    for (const float value : peak) seen_.upper = std::fmax(seen_.upper, value);
  }
  // A boot that is long ago rolls out of the cells that are kept, its first cell first.
  const auto most = static_cast<std::int64_t>(horizon.boot()) - cells_.gone();
  seen_.begin = most > 0 ? beginning(mean, static_cast<std::size_t>(most), horizon.settling()) : 0;
  const auto after = [&](const std::vector<float>& all) {
    return std::span(all).subspan(seen_.begin);
  };
  PointForecast& point = seen_.point;
  point = horizon.forecasters()({after(mean), after(peak), seen_.upper});
  const double floor = kFloor[static_cast<std::size_t>(owner.resource)];
  // Less than a horizon of history says little, however quiet it was.
  const double doubt = point.known < horizon.cells() ? 0.1 : 0.0;
  point.level_spread =
      std::max({point.level_spread, floor, 0.005 * point.level}) + doubt * point.level;
  point.peak_spread = std::max({point.peak_spread, floor, 0.005 * point.peak}) + doubt * point.peak;
  return seen_;
}

bool Track::settled(const Horizon& horizon) const {
  return first_scored_ >= 0 && cells_.end() - first_scored_ >=
                                   kSettledHorizons * static_cast<std::int64_t>(horizon.cells());
}

Outlook Track::outlook(double point, double spread, const TargetCalibration& own, const Band& band,
                       double upper) const {
  const auto at = [&](std::size_t i, double offset) {
    return std::clamp(point + std::min(spread * offset, own.furthest(i, spread)), 0.0, upper);
  };
  std::array<double, 4> values{at(0, band.offset[0]), at(1, band.offset[1]), at(2, band.offset[2]),
                               at(3, band.p99.value_or(0))};
  // Rearrangement (Chernozhukov, Fernández-Val & Galichon 2010): sorted quantiles are never worse.
  std::sort(values.begin(), values.end() - (band.p99 ? 0 : 1));
  Outlook out;
  out.point = point;
  out.quantiles = {values[0], values[1], values[2],
                   band.p99 ? std::optional(values[3]) : std::nullopt};
  out.calibration = band.calibration;
  out.outcomes = band.outcomes;
  return out;
}

Forecast Track::forecast(const Horizon& horizon, const TrackOwner& owner) const {
  const Seen& seen = look(horizon, owner);
  const PointForecast& point = seen.point;
  const auto& pools = horizon.pools(owner.resource);
  Forecast out;
  out.vm = owner.vm;
  out.resource = owner.resource;
  out.made = Timestamp(cells_.end() * horizon.cell());
  out.horizon = horizon.length();
  const bool sure = settled(horizon);
  out.level =
      outlook(point.level, point.level_spread, level_, band(level_, pools.level, sure), seen.upper);
  out.level.by = point.level_by;
  out.peak =
      outlook(point.peak, point.peak_spread, peak_, band(peak_, pools.peak, sure), seen.upper);
  out.peak.by = point.peak_by;
  raise(out.peak.quantiles, out.level.quantiles);

  if (point.known < horizon.cells())
    out.note = fmt::format("only {} of history for a horizon of {}",
                           words(static_cast<std::int64_t>(point.known) * horizon.cell()),
                           words(horizon.length()));
  const auto add = [&](std::string words) {
    out.note += (out.note.empty() ? "" : "; ") + std::move(words);
  };
  // A cell by itself may be mere noise.
  if (seen.begin > 1)
    add(fmt::format("the first {} of history are left out, as unlike what followed",
                    words(static_cast<std::int64_t>(seen.begin) * horizon.cell())));
  if (out.peak.calibration == Calibration::none)
    add(fmt::format("the band is wide by convention: {} of {} outcomes are known",
                    out.peak.outcomes, outcomesNeeded(kQuantiles[2])));
  return out;
}

std::vector<Due> Track::round(Horizon& horizon, const TrackOwner& owner, Timestamp now) {
  const std::int64_t now_cell = now.time_since_epoch() / horizon.cell();
  auto due = scorer_.due(cells_, horizon.cells(), now_cell);
  for (const auto& one : due) learn(horizon, owner, one);
  issue(horizon, owner);
  return due;
}

void Track::learn(Horizon& horizon, const TrackOwner& owner, const Due& due) {
  const Pending& said = due.forecast;
  const double level = due.level - said.level.point;
  const double peak = due.peak - said.peak.point;
  level_.add(level, said.level_spread, exceeded(said.level.quantiles, due.level));
  peak_.add(peak, said.peak_spread, exceeded(said.peak.quantiles, due.peak));
  horizon.pools(owner.resource).level.add(static_cast<float>(level / said.level_spread));
  horizon.pools(owner.resource).peak.add(static_cast<float>(peak / said.peak_spread));
  if (first_scored_ < 0) first_scored_ = said.cell;
}

void Track::issue(const Horizon& horizon, const TrackOwner& owner) {
  if (cells_.empty()) return;
  // A record from elsewhere may speak of a time that this clock has not reached.
  if (issued_ - cells_.end() > static_cast<std::int64_t>(horizon.capacity())) issued_ = -1;
  const std::int64_t every =
      peak_.size() < kYoung
          ? 1
          : static_cast<std::int64_t>(std::max<std::size_t>(horizon.cells() / 12, 1));
  if (issued_ >= 0 && cells_.end() - issued_ < every) return;
  if (look(horizon, owner).point.known < std::max<std::size_t>(horizon.cells() / 6, 1) + 1) return;
  const Forecast made = forecast(horizon, owner);
  issued_ = cells_.end();
  scorer_.add({issued_, made.level, made.peak, seen_.point.level_spread, seen_.point.peak_spread});
}

namespace {

/// So many errors in a row of one sign, each beyond so many usual ones, are no noise: demand has
/// jumped, and is where it is now. A trend that points elsewhere has ended with it.
constexpr std::size_t kJumpCells = 3;
constexpr double kJumpErrors = 4;

void jump(Smoother& now, const std::vector<float>& errors, const std::vector<float>& values) {
  if (errors.size() < 4 * kJumpCells) return;
  const auto usual_end = errors.size() - kJumpCells;
  double usual = 0, recent = 0;
  std::size_t known = 0;
  for (std::size_t i = 0; i < usual_end; ++i)
    if (!std::isnan(errors[i])) usual += std::abs(errors[i]), ++known;
  if (known < kJumpCells) return;
  usual /= static_cast<double>(known);
  const bool up = errors.back() > 0;
  for (std::size_t i = usual_end; i < errors.size(); ++i) {
    const bool beyond = std::abs(errors[i]) > kJumpErrors * usual;
    if (!beyond || (errors[i] > 0) != up) return;  // also where it is missing
    recent += values[i];
  }
  now.level = recent / static_cast<double>(kJumpCells);
  if ((now.trend > 0) != up) now.trend = 0;
}

/// Takes away which way the errors lean: their mean without the fifth that is highest and the fifth
/// that is lowest, since a single jump is no leaning. Those of a recursion that lags behind a ramp
/// all point one way; drawn again beside the trend that the recursion has by now, they would carry
/// every path further than the ramp goes.
void centre(std::vector<float>& errors) {
  std::vector<float> known;
  std::ranges::copy_if(errors, std::back_inserter(known), [](float e) { return !std::isnan(e); });
  std::ranges::sort(known);
  const std::size_t cut = known.size() / 5;
  if (known.size() <= 2 * cut) return;
  double sum = 0;
  for (std::size_t i = cut; i < known.size() - cut; ++i) sum += known[i];
  const auto lean = static_cast<float>(sum / static_cast<double>(known.size() - 2 * cut));
  for (float& error : errors) error -= lean;
}

}  // namespace

Rhythm Track::rhythm(const Horizon& horizon, const TrackOwner& owner, std::int64_t start) const {
  const Seen& seen = look(horizon, owner);
  Rhythm out{owner.vm, seen.point.fitted, {}, seen.upper};
  std::vector<float> peak;
  cells_.copy(out.errors, peak);
  out.errors.erase(out.errors.begin(),
                   out.errors.begin() + static_cast<std::ptrdiff_t>(seen.begin));
  const std::vector<float> values = out.errors;
  Smoother state = seen.point.fitted;
  state.level = state.trend = 0;
  bool begun = false;
  // The first errors are those of a recursion that looks for its level, and of a boot that nothing
  // lies behind yet.
  std::size_t unsure = horizon.cells() / 2 - std::min(horizon.cells() / 2, seen.begin);
  for (float& cell : out.errors) {
    const float value = cell;
    cell = std::numeric_limits<float>::quiet_NaN();
    if (std::isnan(value)) {
      if (begun) state.skip();
    } else if (!begun) {
      state.level = value;
      begun = true;
    } else if (const double error = state.take(value); unsure == 0) {
      cell = static_cast<float>(error);
    } else {
      --unsure;
    }
  }
  jump(out.now, out.errors, values);
  centre(out.errors);
  for (auto cell = cells_.end(); cell < start; ++cell) {
    out.now.skip();
    out.errors.push_back(std::numeric_limits<float>::quiet_NaN());
  }
  return out;
}

void Track::write(ByteWriter& out, bool with_history) const {
  std::string history;
  ByteWriter part(history);
  if (with_history) cells_.write(part);
  out.put(static_cast<std::uint32_t>(history.size()));
  out.raw(history);
  out.put(issued_);
  out.put(first_scored_);
  level_.write(out);
  peak_.write(out);
  scorer_.write(out);
}

void Track::read(ByteReader& in, const Horizon& horizon, bool same_grid) {
  restart();
  const auto history = in.raw(in.count(1, 1 << 20));
  if (same_grid && !history.empty()) {
    ByteReader part(history);
    cells_.read(part);
    if (!part.ok() || part.left() > 0) in.fail();
  }
  issued_ = in.take<std::int64_t>();
  first_scored_ = in.take<std::int64_t>();
  if (issued_ > kLastIndex || issued_ < -1 || first_scored_ > issued_ || first_scored_ < -1)
    in.fail();
  level_.read(in);
  peak_.read(in);
  scorer_.read(in);
  if (!same_grid || !in.ok()) {
    cells_ = Cells(horizon.capacity(), horizon.fold());
    restart();
  }
}

}  // namespace virtseer::predict

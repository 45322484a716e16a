#include "predict/predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace virtseer::predict {

Predictor::Predictor(PredictorOptions options) : options_(std::move(options)) {
  options_.step = std::max(options_.step, Millis(1));
  if (options_.horizons.size() > 8) options_.horizons.resize(8);
  for (const auto length : options_.horizons) horizons_.emplace_back(length, options_.step);
}

Predictor::OneResource Predictor::fresh() const {
  OneResource out{DemandSeries(options_.step, options_.max_gap), {}, {}};
  for (const auto& horizon : horizons_) out.tracks.emplace_back(horizon);
  return out;
}

Predictor::OneResource* Predictor::find(const Uuid& vm, Resource resource, bool make) {
  auto found = vms_.find(vm);
  if (found == vms_.end()) {
    if (!make) return nullptr;
    if (vms_.size() >= options_.max_vms) {
      ++refused_;
      return nullptr;
    }
    found = vms_.try_emplace(vm).first;
  }
  auto& one = found->second[static_cast<std::size_t>(resource)];
  if (!one && make) one = fresh();
  return one ? &*one : nullptr;
}

const Predictor::OneResource* Predictor::find(const Uuid& vm, Resource resource) const {
  const auto found = vms_.find(vm);
  if (found == vms_.end()) return nullptr;
  const auto& one = found->second[static_cast<std::size_t>(resource)];
  return one ? &*one : nullptr;
}

std::optional<std::size_t> Predictor::indexOf(Millis horizon) const {
  const auto found = std::find(options_.horizons.begin(), options_.horizons.end(), horizon);
  if (found == options_.horizons.end()) return std::nullopt;
  return static_cast<std::size_t>(found - options_.horizons.begin());
}

void Predictor::observe(const Uuid& vm, Resource resource, Timestamp time, double demand) {
  OneResource* one = find(vm, resource, true);
  if (!one) return;
  done_.clear();
  switch (one->series.add(time, demand, done_)) {
    case DemandSeries::Taken::dropped:
      ++dropped_;
      break;
    case DemandSeries::Taken::restarted:
      ++dropped_;
      for (auto& track : one->tracks) track.restart();
      break;
    case DemandSeries::Taken::yes:
      break;
  }
  for (const auto& step : done_)
    for (auto& track : one->tracks) track.add(step);
}

void Predictor::bound(const Uuid& vm, Resource resource, std::optional<double> most) {
  if (most && !(*most >= 0)) most.reset();
  if (OneResource* one = find(vm, resource, most.has_value())) one->bound = most;
}

Result<Forecast> Predictor::forecast(const Uuid& vm, Resource resource, Millis horizon,
                                     Timestamp now) const {
  const auto index = indexOf(horizon);
  if (!index) return fail(Code::invalid, fmt::format("no horizon of {} ms", horizon.count()));
  const OneResource* one = find(vm, resource);
  if (!one || one->tracks[*index].end() == 0)
    return fail(Code::not_found,
                fmt::format("no {} demand of {} seen yet", name(resource), vm.text()));
  const Horizon& shape = horizons_[*index];
  Forecast out = one->tracks[*index].forecast(shape, {vm, resource, one->bound});
  const Millis silent = now - out.made;
  if (silent > horizon)
    return fail(Code::not_found, fmt::format("no {} demand of {} seen since {}", name(resource),
                                             vm.text(), rfc3339(out.made)));
  if (silent > std::max(horizon / 4, 3 * shape.cell()))
    out.note +=
        fmt::format("{}no demand seen since {}", out.note.empty() ? "" : "; ", rfc3339(out.made));
  return out;
}

std::vector<Outcome> Predictor::score(Timestamp now, std::size_t vms) {
  std::vector<Outcome> out;
  vms = std::min(vms, vms_.size());
  for (auto at = vms_.upper_bound(last_scored_); vms > 0; --vms, ++at) {
    if (at == vms_.end()) at = vms_.begin();
    last_scored_ = at->first;
    for (std::size_t r = 0; r < kResources; ++r) {
      auto& one = at->second[r];
      if (!one) continue;
      const TrackOwner owner{at->first, static_cast<Resource>(r), one->bound};
      for (std::size_t h = 0; h < horizons_.size(); ++h)
        for (const auto& due : one->tracks[h].round(horizons_[h], owner, now)) {
          const Pending& said = due.forecast;
          out.push_back({{owner.vm,
                          owner.resource,
                          Timestamp(said.cell * horizons_[h].cell()),
                          horizons_[h].length(),
                          said.level,
                          said.peak,
                          {}},
                         due.level,
                         due.peak});
        }
    }
  }
  return out;
}

std::optional<TrackRecord> Predictor::record(const Uuid& vm, Resource resource,
                                             Millis horizon) const {
  const auto index = indexOf(horizon);
  const OneResource* one = find(vm, resource);
  if (!index || !one) return std::nullopt;
  return one->tracks[*index].record();
}

Result<Scenarios> Predictor::scenarios(std::span<const Uuid> vms, Resource resource, Millis horizon,
                                       std::size_t paths, std::uint64_t seed) const {
  const auto index = indexOf(horizon);
  if (!index) return fail(Code::invalid, fmt::format("no horizon of {} ms", horizon.count()));
  const Horizon& shape = horizons_[*index];
  std::int64_t start = 0;
  for (const auto& vm : vms)
    if (const OneResource* one = find(vm, resource))
      start = std::max(start, one->tracks[*index].end());
  std::vector<Rhythm> rhythms;
  for (const auto& vm : vms) {
    const OneResource* one = find(vm, resource);
    if (!one || one->tracks[*index].end() == 0) continue;
    const Track& track = one->tracks[*index];
    if (start - track.end() > static_cast<std::int64_t>(shape.cells())) continue;
    rhythms.push_back(track.rhythm(shape, {vm, resource, one->bound}, start));
  }
  return predict::scenarios(
      rhythms, {Timestamp(start * shape.cell()), shape.cell(), shape.cells(), paths, seed});
}

}  // namespace virtseer::predict

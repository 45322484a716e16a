#include "predict/scorer.h"

#include <array>
#include <cmath>
#include <optional>

namespace virtseer::predict {
namespace {

void score(TargetRecord& record, const Outlook& said, double truth) {
  const std::array<std::optional<double>, 4> quantiles{said.quantiles.p50, said.quantiles.p80,
                                                       said.quantiles.p95, said.quantiles.p99};
  for (std::size_t i = 0; i < quantiles.size(); ++i) {
    if (!quantiles[i]) continue;
    ++record.promised[i];
    if (!exceeds(truth, *quantiles[i])) ++record.held[i];
  }
  record.absolute_error += std::abs(truth - said.point);
  record.recent = record.recent << 1 | (exceeds(truth, said.quantiles.p95) ? 0 : 1);
}

void write(ByteWriter& out, const Outlook& outlook) {
  const auto& quantiles = outlook.quantiles;
  for (const double value : {outlook.point, quantiles.p50, quantiles.p80, quantiles.p95})
    out.put(value);
  out.put(quantiles.p99.value_or(std::numeric_limits<double>::quiet_NaN()));
  out.put(static_cast<std::uint8_t>(outlook.by));
  out.put(static_cast<std::uint8_t>(outlook.calibration));
  out.put(outlook.outcomes);
}

void read(ByteReader& in, Outlook& outlook) {
  auto& quantiles = outlook.quantiles;
  for (double* value : {&outlook.point, &quantiles.p50, &quantiles.p80, &quantiles.p95})
    *value = in.finite<double>();
  const auto p99 = in.take<double>();
  quantiles.p99 = std::isfinite(p99) ? std::optional(p99) : std::nullopt;
  const auto by = in.take<std::uint8_t>();
  const auto calibration = in.take<std::uint8_t>();
  if (by >= kForecasters || calibration > static_cast<std::uint8_t>(Calibration::own)) in.fail();
  outlook.by = static_cast<Forecaster>(by);
  outlook.calibration = static_cast<Calibration>(calibration);
  outlook.outcomes = in.take<std::uint32_t>();
}

void write(ByteWriter& out, const TargetRecord& record) {
  for (const auto count : record.promised) out.put(count);
  for (const auto count : record.held) out.put(count);
  out.put(record.absolute_error);
  out.put(record.recent);
}

void read(ByteReader& in, TargetRecord& record) {
  for (auto& count : record.promised) count = in.take<std::uint64_t>();
  for (auto& count : record.held) count = in.take<std::uint64_t>();
  for (std::size_t i = 0; i < record.held.size(); ++i)
    if (record.held[i] > record.promised[i]) in.fail();
  record.absolute_error = in.finite<double>();
  record.recent = in.take<std::uint64_t>();
}

}  // namespace

bool exceeds(double truth, double quantile) {
  return truth > quantile + 1e-7 * std::abs(quantile) + 1e-12;
}

void Scorer::add(Pending forecast) {
  if (pending_.size() == kMost) {
    pending_.pop_front();
    ++record_.unscored;
  }
  pending_.push_back(std::move(forecast));
}

std::vector<Due> Scorer::due(const Cells& cells, std::size_t horizon, std::int64_t now_cell) {
  std::vector<Due> out;
  const auto length = static_cast<std::int64_t>(horizon);
  while (!pending_.empty()) {
    const Pending& first = pending_.front();
    const bool passed = first.cell + length <= cells.end();
    if (!passed && first.cell + 2 * length > now_cell) break;
    const auto truth = cells.window(first.cell, first.cell + length);
    if (passed && truth.known > 0 && 4 * truth.known >= 3 * horizon) {
      ++record_.scored;
      score(record_.level, first.level, truth.mean);
      score(record_.peak, first.peak, truth.peak);
      out.push_back({first, truth.mean, truth.peak});
    } else {
      ++record_.unscored;
    }
    pending_.pop_front();
  }
  return out;
}

void Scorer::write(ByteWriter& out) const {
  out.put(record_.scored);
  out.put(record_.unscored);
  predict::write(out, record_.level);
  predict::write(out, record_.peak);
  out.put(static_cast<std::uint32_t>(pending_.size()));
  for (const auto& pending : pending_) {
    out.put(pending.cell);
    predict::write(out, pending.level);
    predict::write(out, pending.peak);
    out.put(pending.level_spread);
    out.put(pending.peak_spread);
  }
}

void Scorer::read(ByteReader& in) {
  record_.scored = in.take<std::uint64_t>();
  record_.unscored = in.take<std::uint64_t>();
  predict::read(in, record_.level);
  predict::read(in, record_.peak);
  pending_.resize(in.count(2 * sizeof(double), kMost));
  std::int64_t before = 0;
  for (auto& pending : pending_) {
    pending.cell = in.take<std::int64_t>();
    if (pending.cell < before || pending.cell > kLastIndex) in.fail();
    before = pending.cell;
    predict::read(in, pending.level);
    predict::read(in, pending.peak);
    pending.level_spread = in.finite<double>();
    pending.peak_spread = in.finite<double>();
    if (!(pending.level_spread > 0) || !(pending.peak_spread > 0)) in.fail();
  }
}

}  // namespace virtseer::predict

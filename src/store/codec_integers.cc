#include "store/codec_integers.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <vector>

#include "store/bits.h"

namespace virtseer::store {
namespace {

constexpr std::size_t kBlock = 32;
constexpr std::uint8_t kOrderMask = 3, kPackingShift = 2, kPackingMask = 3, kFactorFlag = 16;
enum class Packing : std::uint8_t { even = 0, blocks = 1, sparse = 2 };

std::int64_t asSigned(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

/// How a list of residuals would be written, and in how many bytes.
struct Plan {
  std::size_t bytes = 0;
  Packing packing = Packing::even;
  std::uint64_t base = 0;
  unsigned width = 0;
  std::uint64_t common = 0;  // sparse: the value of those that are not written
};

std::size_t bitBytes(std::size_t count, unsigned width) {
  return (count * width + 7) / 8;
}

void planEven(std::span<const std::uint64_t> residuals, Plan& plan) {
  std::int64_t least = asSigned(residuals[0]), most = least;
  for (const auto residual : residuals) {
    least = std::min(least, asSigned(residual));
    most = std::max(most, asSigned(residual));
  }
  plan.base = static_cast<std::uint64_t>(least);
  plan.width = bitWidth(static_cast<std::uint64_t>(most) - plan.base);
  plan.bytes = varintBytes(zigzag(least)) + 1 + bitBytes(residuals.size(), plan.width);
}

/// Blocks of their own width pay where a few residuals are far larger than the rest.
void tryBlocks(std::span<const std::uint64_t> residuals, Plan& best) {
  std::size_t bytes = varintBytes(zigzag(asSigned(best.base)));
  for (std::size_t at = 0; at < residuals.size(); at += kBlock) {
    const auto block = residuals.subspan(at, std::min(kBlock, residuals.size() - at));
    std::uint64_t all = 0;
    for (const auto residual : block) all |= residual - best.base;
    bytes += 1 + bitBytes(block.size(), bitWidth(all));
  }
  if (bytes < best.bytes) best.bytes = bytes, best.packing = Packing::blocks;
}

/// Majority vote (Boyer and Moore): finds the value of more than half, if there is one.
std::uint64_t majority(std::span<const std::uint64_t> residuals) {
  std::uint64_t candidate = residuals[0];
  std::size_t votes = 0;
  for (const auto residual : residuals) {
    if (votes == 0) candidate = residual;
    votes = residual == candidate ? votes + 1 : votes - 1;
  }
  return candidate;
}

void trySparse(std::span<const std::uint64_t> residuals, Plan& best) {
  Plan plan{.packing = Packing::sparse, .common = majority(residuals)};
  std::int64_t least = INT64_MAX, most = INT64_MIN;
  std::size_t others = 0;
  for (const auto residual : residuals) {
    if (residual == plan.common) continue;
    ++others;
    least = std::min(least, asSigned(residual));
    most = std::max(most, asSigned(residual));
  }
  if (others == 0 || others * 2 > residuals.size()) return;
  plan.base = static_cast<std::uint64_t>(least);
  plan.width = bitWidth(static_cast<std::uint64_t>(most) - plan.base);
  plan.bytes = varintBytes(zigzag(asSigned(plan.common))) + varintBytes(zigzag(least)) + 1 +
               bitBytes(residuals.size(), 1) + bitBytes(others, plan.width);
  if (plan.bytes < best.bytes) best = plan;
}

Plan planFor(std::span<const std::uint64_t> residuals) {
  Plan best;
  if (residuals.empty()) return best;
  planEven(residuals, best);
  if (best.width > 0) {
    tryBlocks(residuals, best);
    trySparse(residuals, best);
  }
  return best;
}

void putResiduals(std::span<const std::uint64_t> residuals, const Plan& plan, std::string& out) {
  if (residuals.empty()) return;
  BitWriter bits(out);
  if (plan.packing == Packing::sparse) {
    putZigzag(out, asSigned(plan.common));
    putZigzag(out, asSigned(plan.base));
    putU8(out, static_cast<std::uint8_t>(plan.width));
    for (const auto residual : residuals) bits.put(residual != plan.common, 1);
    bits.finish();
    for (const auto residual : residuals)
      if (residual != plan.common) bits.put(residual - plan.base, plan.width);
    bits.finish();
    return;
  }
  putZigzag(out, asSigned(plan.base));
  if (plan.packing == Packing::even) {
    putU8(out, static_cast<std::uint8_t>(plan.width));
    for (const auto residual : residuals) bits.put(residual - plan.base, plan.width);
    bits.finish();
    return;
  }
  for (std::size_t at = 0; at < residuals.size(); at += kBlock) {
    const auto block = residuals.subspan(at, std::min(kBlock, residuals.size() - at));
    std::uint64_t all = 0;
    for (const auto residual : block) all |= residual - plan.base;
    const unsigned width = bitWidth(all);
    putU8(out, static_cast<std::uint8_t>(width));
    for (const auto residual : block) bits.put(residual - plan.base, width);
    bits.finish();
  }
}

/// Reads `residuals.size()` numbers of `width` bits and adds `base`.
bool getEven(ByteReader& in, std::uint64_t base, std::span<std::uint64_t> residuals) {
  const unsigned width = in.u8();
  if (width > 64) return false;
  BitReader bits(in.take(bitBytes(residuals.size(), width)));
  if (!in.ok()) return false;
  for (auto& residual : residuals) residual = base + bits.get(width);
  return bits.ok();
}

bool getSparse(ByteReader& in, std::span<std::uint64_t> residuals) {
  const auto common = static_cast<std::uint64_t>(in.zigzag());
  const auto base = static_cast<std::uint64_t>(in.zigzag());
  const unsigned width = in.u8();
  BitReader marks(in.take(bitBytes(residuals.size(), 1)));
  if (!in.ok() || width > 64) return false;
  std::size_t others = 0;
  for (auto& residual : residuals) others += residual = marks.get(1);
  BitReader bits(in.take(bitBytes(others, width)));
  if (!in.ok()) return false;
  for (auto& residual : residuals) residual = residual != 0 ? base + bits.get(width) : common;
  return bits.ok();
}

bool getResiduals(ByteReader& in, Packing packing, std::span<std::uint64_t> residuals) {
  if (residuals.empty()) return true;
  if (packing == Packing::sparse) return getSparse(in, residuals);
  const auto base = static_cast<std::uint64_t>(in.zigzag());
  if (packing == Packing::even) return getEven(in, base, residuals);
  if (packing != Packing::blocks) return false;
  for (std::size_t at = 0; at < residuals.size(); at += kBlock) {
    if (!getEven(in, base, residuals.subspan(at, std::min(kBlock, residuals.size() - at)))) {
      return false;
    }
  }
  return true;
}

/// The greatest number that divides all `steps`; 1 if they are all zero.
std::uint64_t commonFactor(std::span<const std::uint64_t> steps) {
  std::uint64_t factor = 0;
  for (const auto step : steps) {
    const std::uint64_t size = asSigned(step) < 0 ? 0 - step : step;
    if (size == 0 || (factor != 0 && size % factor == 0)) continue;
    factor = std::gcd(factor, size);
    if (factor == 1) break;
  }
  return factor == 0 || factor > INT64_MAX ? 1 : factor;
}

}  // namespace

void packIntegers(std::span<const std::int64_t> values, std::string& out) {
  const std::size_t count = values.size() - 1;
  // sums: distance from the first value; steps: from the one before; bends: change of the step.
  std::vector<std::uint64_t> sums(count), steps(count), bends(count);
  for (std::size_t i = 0; i < count; ++i) {
    steps[i] = static_cast<std::uint64_t>(values[i + 1]) - static_cast<std::uint64_t>(values[i]);
  }
  const std::uint64_t factor = commonFactor(steps);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (factor > 1) steps[i] = static_cast<std::uint64_t>(asSigned(steps[i]) / asSigned(factor));
    sums[i] = sum += steps[i];
    bends[i] = i == 0 ? 0 : steps[i] - steps[i - 1];
  }
  const std::span<const std::uint64_t> second =
      count < 2 ? std::span<const std::uint64_t>{} : std::span(bends).subspan(1);
  const std::array<std::span<const std::uint64_t>, 3> residuals{sums, steps, second};
  unsigned order = 0;
  Plan best = planFor(sums);
  for (unsigned candidate = 1; candidate <= (count < 2 ? 1U : 2U); ++candidate) {
    Plan plan = planFor(residuals[candidate]);
    if (candidate == 2) plan.bytes += varintBytes(zigzag(asSigned(steps[0])));
    if (plan.bytes < best.bytes) best = plan, order = candidate;
  }
  putU8(out,
        static_cast<std::uint8_t>(order | static_cast<unsigned>(best.packing) << kPackingShift |
                                  (factor > 1 ? kFactorFlag : 0U)));
  putZigzag(out, values[0]);
  if (factor > 1) putVarint(out, factor);
  if (order == 2) putZigzag(out, asSigned(steps[0]));
  putResiduals(residuals[order], best, out);
}

bool unpackIntegers(ByteReader& in, std::span<std::int64_t> values) {
  const std::uint8_t mode = in.u8();
  const unsigned order = mode & kOrderMask;
  const auto packing = static_cast<Packing>(mode >> kPackingShift & kPackingMask);
  if (!in.ok() || order > 2 || mode >= 2 * kFactorFlag || values.empty()) return false;
  std::size_t count = values.size() - 1;
  if (order == 2 && count < 2) return false;
  const auto first = static_cast<std::uint64_t>(in.zigzag());
  const std::uint64_t factor = (mode & kFactorFlag) ? in.varint() : 1;
  const auto first_step = static_cast<std::uint64_t>(order == 2 ? in.zigzag() : 0);
  if (order == 2) --count;
  std::vector<std::uint64_t> residuals(count);
  if (!in.ok() || !getResiduals(in, packing, residuals)) return false;

  std::uint64_t sum = 0, step = first_step;
  values[0] = asSigned(first);
  std::size_t at = 1;
  if (order == 2) values[at++] = asSigned(first + factor * (sum += step));
  for (const auto residual : residuals) {
    if (order == 0) sum = residual;
    if (order == 1) sum += residual;
    if (order == 2) sum += step += residual;
    values[at++] = asSigned(first + factor * sum);
  }
  return in.ok();
}

}  // namespace virtseer::store

#include "store/codec_scaled.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "store/codec_integers.h"

namespace virtseer::store {
namespace {

constexpr std::array<double, 10> kPowers{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
constexpr double kLimit = 9007199254740992.0;  // 2^53

/// m such that m / 10^places is `value` bit by bit; both operands are exact and division rounds
/// correctly, so this holds for every number that was read from that many decimals.
bool mantissa(double value, unsigned places, std::int64_t& out) {
  const double scaled = value * kPowers[places];
  if (!(std::fabs(scaled) <= kLimit)) return false;
  // From 2^52 on there are no fractions, and adding a half would round to even.
  const bool whole = std::fabs(scaled) >= kLimit / 2;
  out = static_cast<std::int64_t>(whole ? scaled : scaled + std::copysign(0.5, scaled));
  const double back = static_cast<double>(out) / kPowers[places];
  return std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(value);
}

}  // namespace

bool encodeScaled(std::span<const double> values, std::string& out) {
  unsigned places = 0;
  std::int64_t ignored;
  for (const double value : values) {
    while (!mantissa(value, places, ignored)) {
      if (++places == kPowers.size()) return false;
    }
  }
  std::vector<std::int64_t> mantissas(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!mantissa(values[i], places, mantissas[i])) return false;
  }
  putU8(out, static_cast<std::uint8_t>(places));
  packIntegers(mantissas, out);
  return true;
}

bool decodeScaled(ByteReader& in, std::span<double> values) {
  const unsigned places = in.u8();
  if (!in.ok() || places >= kPowers.size()) return false;
  std::vector<std::int64_t> mantissas(values.size());
  if (!unpackIntegers(in, mantissas)) return false;
  if (places == 0) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(mantissas[i]);
  } else {
    const double power = kPowers[places];
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<double>(mantissas[i]) / power;
    }
  }
  return true;
}

}  // namespace virtseer::store

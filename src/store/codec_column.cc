#include "store/codec_column.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "model/series.h"
#include "store/bits.h"
#include "store/bytes.h"
#include "store/codec_scaled.h"
#include "store/codec_xor.h"

namespace virtseer::store {
namespace {

std::uint64_t bitsOf(double value) {
  return std::bit_cast<std::uint64_t>(value);
}

/// The double's bytes, sign and exponent first, without trailing zero bytes: 0 takes none.
void putConstant(double value, std::string& out) {
  for (std::uint64_t bits = bitsOf(value); bits != 0; bits <<= 8) {
    putU8(out, static_cast<std::uint8_t>(bits >> 56));
  }
}

bool decodeConstant(std::string_view payload, std::span<double> values) {
  if (payload.size() > 8) return false;
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    bits |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(payload[i])) << (56 - 8 * i);
  }
  std::ranges::fill(values, std::bit_cast<double>(bits));
  return true;
}

bool decodeRaw(std::string_view payload, std::span<double> values) {
  if (payload.size() != values.size() * 8) return false;
  std::memcpy(values.data(), payload.data(), payload.size());
  return true;
}

/// Lengths of alternating runs, the first of missing rows and maybe 0; the last one is not written.
std::string presenceRuns(std::span<const double> values) {
  std::string runs;
  std::uint64_t count = 0, length = 0;
  bool present = false;
  for (const double value : values) {
    if (std::isnan(value) == present) {
      putVarint(runs, length);
      ++count, length = 0, present = !present;
    }
    ++length;
  }
  std::string out;
  putVarint(out, count);
  return out + runs;
}

std::uint8_t putPresence(std::span<const double> values, std::string& out) {
  const std::string runs = presenceRuns(values);
  if (runs.size() < (values.size() + 7) / 8) {
    out += runs;
    return kPresenceRuns;
  }
  BitWriter bits(out);
  for (const double value : values) bits.put(!std::isnan(value), 1);
  bits.finish();
  return kPresenceBitmap;
}

bool getRuns(ByteReader& in, std::vector<bool>& present) {
  const std::uint64_t count = in.varint();
  std::size_t at = 0;
  bool value = false;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i, value = !value) {
    const std::uint64_t length = in.varint();
    if (length > present.size() - at) return false;
    std::fill_n(present.begin() + static_cast<std::ptrdiff_t>(at), length, value);
    at += length;
  }
  std::fill(present.begin() + static_cast<std::ptrdiff_t>(at), present.end(), value);
  return in.ok();
}

bool getBitmap(ByteReader& in, std::vector<bool>& present) {
  BitReader bits(in.take((present.size() + 7) / 8));
  for (std::size_t i = 0; in.ok() && i < present.size(); ++i) present[i] = bits.get(1) != 0;
  return in.ok();
}

/// The smallest form of values of which none is missing.
Codec putValues(std::span<const double> values, std::string& out) {
  const auto same = [&](double value) { return bitsOf(value) == bitsOf(values[0]); };
  if (std::ranges::all_of(values, same)) {
    putConstant(values[0], out);
    return Codec::constant;
  }
  std::string scaled;
  const bool decimal = encodeScaled(values, scaled);
  // Below three bytes a value the other form was never seen to win; trying costs as much again.
  if (decimal && scaled.size() <= 3 * values.size()) {
    out += scaled;
    return Codec::scaled;
  }
  std::string real;
  encodeXor(values, real);
  if (decimal && scaled.size() <= std::min(real.size(), 8 * values.size())) {
    out += scaled;
    return Codec::scaled;
  }
  if (real.size() < 8 * values.size()) {
    out += real;
    return Codec::exclusive_or;
  }
  out.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return Codec::raw;
}

bool getValues(Codec codec, ByteReader& in, std::span<double> values) {
  switch (codec) {
    case Codec::constant:
      return decodeConstant(in.take(in.left()), values);
    case Codec::raw:
      return decodeRaw(in.take(in.left()), values);
    case Codec::scaled:
      return decodeScaled(in, values) && in.atEnd();
    case Codec::exclusive_or:
      return decodeXor(in, values);
  }
  return false;
}

}  // namespace

std::optional<std::uint8_t> encodeColumn(std::span<const double> values, std::string& out) {
  std::vector<double> present;
  present.reserve(values.size());
  for (const double value : values) {
    if (!std::isnan(value)) present.push_back(value);
  }
  if (present.empty()) return std::nullopt;
  std::uint8_t presence = 0;
  if (present.size() < values.size()) presence = putPresence(values, out);
  return static_cast<std::uint8_t>(presence | static_cast<std::uint8_t>(putValues(present, out)));
}

bool decodeColumn(std::uint8_t codec, std::string_view payload, std::span<double> values) {
  const std::uint8_t presence = codec & (kPresenceBitmap | kPresenceRuns);
  const auto kind = static_cast<Codec>(codec & ~(kPresenceBitmap | kPresenceRuns));
  ByteReader in(payload);
  if (presence == 0) return !values.empty() && getValues(kind, in, values);

  std::vector<bool> present(values.size());
  const bool read = presence == kPresenceBitmap ? getBitmap(in, present)
                    : presence == kPresenceRuns ? getRuns(in, present)
                                                : false;
  if (!read) return false;
  std::vector<double> dense(static_cast<std::size_t>(std::ranges::count(present, true)));
  if (dense.empty() || !getValues(kind, in, dense)) return false;
  std::size_t next = 0;
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = present[i] ? dense[next++] : kMissing;
  return true;
}

}  // namespace virtseer::store

#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

/// The part of CBOR (RFC 8949) that echo frames use: integers, text, arrays and maps of definite
/// length, booleans, null and floats. Written here because Debian has no CBOR library with a static
/// archive small enough for the agent.
namespace virtseer::echo {

/// Appends items to a string it does not own.
class CborWriter {
 public:
  explicit CborWriter(std::string& out) : out_(out) {}

  void unsignedInt(std::uint64_t value) { head(0, value); }
  void integer(std::int64_t value) {
    if (value >= 0)
      head(0, static_cast<std::uint64_t>(value));
    else
      head(1, ~static_cast<std::uint64_t>(value));
  }
  void text(std::string_view value) {
    head(3, value.size());
    out_.append(value);
  }
  void array(std::size_t count) { head(4, count); }
  void map(std::size_t count) { head(5, count); }
  void boolean(bool value) { byte(value ? 0xf5 : 0xf4); }
  void null() { byte(0xf6); }

  /// An integer where that is exact, else the shortest float that is; null where not finite.
  void number(double value) {
    if (!std::isfinite(value)) return null();
    if (std::abs(value) < 0x1p53 && value == std::trunc(value))
      return integer(static_cast<std::int64_t>(value));
    if (const auto single = static_cast<float>(value); static_cast<double>(single) == value) {
      if (const std::uint32_t half = exactHalf(single); half <= 0xffff)
        return bigEndian(0xf9, half, 2);
      return bigEndian(0xfa, std::bit_cast<std::uint32_t>(single), 4);
    }
    bigEndian(0xfb, std::bit_cast<std::uint64_t>(value), 8);
  }

 private:
  static constexpr std::uint32_t kNoHalf = 0x10000;

  /// The half-precision bits of a finite value that is exact there, else kNoHalf.
  static std::uint32_t exactHalf(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000;
    const int exponent = static_cast<int>((bits >> 23) & 0xff) - 127;
    if (exponent >= -14 && exponent <= 15) {
      if ((bits & 0x1fff) != 0) return kNoHalf;
      return sign | (static_cast<std::uint32_t>(exponent + 15) << 10) | ((bits >> 13) & 0x3ff);
    }
    const float steps = std::abs(value) * 0x1p24f;
    if (exponent > 15 || steps != std::trunc(steps)) return kNoHalf;
    return sign | static_cast<std::uint32_t>(steps);
  }

  void byte(unsigned value) { out_.push_back(static_cast<char>(value)); }

  void bigEndian(unsigned first, std::uint64_t value, int bytes) {
    byte(first);
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
      byte(static_cast<unsigned>((value >> shift) & 0xff));
  }

  void head(unsigned major, std::uint64_t value) {
    major <<= 5;
    if (value < 24)
      byte(major | static_cast<unsigned>(value));
    else if (value <= 0xff)
      bigEndian(major | 24, value, 1);
    else if (value <= 0xffff)
      bigEndian(major | 25, value, 2);
    else if (value <= 0xffffffff)
      bigEndian(major | 26, value, 4);
    else
      bigEndian(major | 27, value, 8);
  }

  std::string& out_;
};

/// Reads items in order from bytes that nobody vouches for. The first fault sticks: every later
/// call returns an empty value and `error()` says what was wrong. Views point into the bytes given.
class CborReader {
 public:
  explicit CborReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return error_ == nullptr; }
  /// What was wrong, or null.
  const char* error() const { return error_; }
  bool atEnd() const { return place_ == bytes_.size(); }
  /// Bytes not yet read.
  std::size_t left() const { return bytes_.size() - place_; }
  void fail(const char* what) {
    if (error_ == nullptr) error_ = what;
    place_ = bytes_.size();
  }

  std::uint64_t unsignedInt(std::uint64_t max = std::numeric_limits<std::uint64_t>::max()) {
    const Head item = head();
    if (!ok()) return 0;
    if (item.major != 0) return fail("an unsigned integer was expected"), 0;
    if (item.value > max) return fail("an integer is out of range"), 0;
    return item.value;
  }

  std::int64_t integer() {
    const Head item = head();
    if (!ok()) return 0;
    if (item.major > 1) return fail("an integer was expected"), 0;
    if (item.value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return fail("an integer is out of range"), 0;
    const auto value = static_cast<std::int64_t>(item.value);
    return item.major == 0 ? value : -1 - value;
  }

  /// A number of any width; null and what is not finite are NaN.
  double number() {
    const Head item = head();
    if (!ok()) return 0;
    if (item.major == 0) return static_cast<double>(item.value);
    if (item.major == 1) return -1.0 - static_cast<double>(item.value);
    constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
    if (item.major != 7) return fail("a number was expected"), kMissing;
    double value = kMissing;
    switch (item.info) {
      case 22:
        return kMissing;
      case 25:
        value = fromHalf(static_cast<unsigned>(item.value));
        break;
      case 26:
        value = std::bit_cast<float>(static_cast<std::uint32_t>(item.value));
        break;
      case 27:
        value = std::bit_cast<double>(item.value);
        break;
      default:
        return fail("a number was expected"), kMissing;
    }
    return std::isfinite(value) ? value : kMissing;
  }

  bool boolean() {
    const Head item = head();
    if (ok() && (item.major != 7 || (item.info != 20 && item.info != 21)))
      fail("a boolean was expected");
    return ok() && item.info == 21;
  }

  std::string_view text(std::size_t max_bytes) {
    const Head item = head();
    if (!ok()) return {};
    if (item.major != 3) return fail("text was expected"), std::string_view{};
    if (item.value > max_bytes) return fail("text is too long"), std::string_view{};
    if (item.value > bytes_.size() - place_) return fail("cut short"), std::string_view{};
    const std::string_view value = bytes_.substr(place_, item.value);
    place_ += item.value;
    return value;
  }

  /// Count of the items that follow; never more than the bytes left could hold.
  std::size_t array(std::size_t max) { return container(4, max, "an array was expected"); }
  /// Count of the pairs that follow.
  std::size_t map(std::size_t max) { return container(5, max, "a map was expected"); }

  /// Steps over a null; false, and nothing read, where the next item is another.
  bool null() {
    if (!ok() || atEnd() || static_cast<std::uint8_t>(bytes_[place_]) != 0xf6) return false;
    ++place_;
    return true;
  }

  /// Whether the next item is text.
  bool atText() const {
    return ok() && !atEnd() && static_cast<std::uint8_t>(bytes_[place_]) >> 5 == 3;
  }

  /// Steps over one item of any kind, nested up to `depth`.
  void skip(int depth = 4) {
    const Head item = head();
    if (!ok()) return;
    if (depth == 0) return fail("nested too deeply");
    if (item.major == 2 || item.major == 3) {
      if (item.value > bytes_.size() - place_) return fail("cut short");
      place_ += item.value;
    } else if (item.major == 6) {
      skip(depth - 1);
    } else if (item.major == 4 || item.major == 5) {
      if (item.value > bytes_.size() - place_) return fail("cut short");
      const std::uint64_t count = item.major == 5 ? 2 * item.value : item.value;
      for (std::uint64_t i = 0; i < count && ok(); ++i) skip(depth - 1);
    }
  }

 private:
  struct Head {
    unsigned major = 0;
    unsigned info = 0;
    std::uint64_t value = 0;
  };

  static double fromHalf(unsigned bits) {
    const int exponent = static_cast<int>((bits >> 10) & 0x1f);
    const unsigned mantissa = bits & 0x3ff;
    if (exponent == 31) return std::numeric_limits<double>::quiet_NaN();
    const double value =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(mantissa + 1024, exponent - 25);
    return (bits & 0x8000) != 0 ? -value : value;
  }

  Head head() {
    if (!ok()) return {};
    if (atEnd()) return fail("cut short"), Head{};
    const unsigned first = static_cast<std::uint8_t>(bytes_[place_++]);
    Head item{first >> 5, first & 0x1f, first & 0x1f};
    if (item.info < 24) return item;
    if (item.info > 27) return fail("indefinite lengths are not used"), Head{};
    const std::size_t width = std::size_t{1} << (item.info - 24);
    if (bytes_.size() - place_ < width) return fail("cut short"), Head{};
    item.value = 0;
    for (std::size_t i = 0; i < width; ++i)
      item.value = item.value << 8 | static_cast<std::uint8_t>(bytes_[place_++]);
    return item;
  }

  std::size_t container(unsigned major, std::size_t max, const char* expected) {
    const Head item = head();
    if (!ok()) return 0;
    if (item.major != major) return fail(expected), 0;
    if (item.value > max) return fail("too many items"), 0;
    if (item.value > bytes_.size() - place_) return fail("cut short"), 0;
    return item.value;
  }

  std::string_view bytes_;
  std::size_t place_ = 0;
  const char* error_ = nullptr;
};

}  // namespace virtseer::echo

#pragma once

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace virtseer::predict {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they are");

/// Appends numbers to a string, little-endian.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <class T>
    requires std::integral<T> || std::floating_point<T>
  void put(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void raw(std::string_view bytes) { out_.append(bytes); }

 private:
  std::string& out_;
};

/// Reads what ByteWriter wrote. After the first thing that is not there everything reads as zero
/// and ok() is false: check once at the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  std::size_t left() const { return bytes_.size(); }
  void fail() { ok_ = false; }

  template <class T>
    requires std::integral<T> || std::floating_point<T>
  T take() {
    T value{};
    const auto part = raw(sizeof value);
    if (ok_) std::memcpy(&value, part.data(), sizeof value);
    return value;
  }

  /// A number that must be finite.
  template <std::floating_point T>
  T finite() {
    const T value = take<T>();
    if (std::isfinite(value)) return value;
    ok_ = false;
    return 0;
  }

  /// A count of things of at least `each` bytes: fails rather than promise more than is left.
  std::size_t count(std::size_t each, std::size_t at_most) {
    const auto value = take<std::uint32_t>();
    if (value > at_most || value > left() / (each ? each : 1)) ok_ = false;
    return ok_ ? value : 0;
  }

  std::string_view raw(std::size_t size) {
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      return {};
    }
    const auto part = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return part;
  }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace virtseer::predict

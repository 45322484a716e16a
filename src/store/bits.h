#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace virtseer::store {

/// Bits that hold `value`; 0 for 0.
constexpr unsigned bitWidth(std::uint64_t value) {
  return static_cast<unsigned>(std::bit_width(value));
}
constexpr std::uint64_t lowBits(unsigned width) {
  return width >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
}

/// Appends numbers of any width, the first in the lowest bits of the first byte.
class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}

  /// `value` must fit into `width` bits (0 to 64).
  void put(std::uint64_t value, unsigned width) {
    pending_ |= value << filled_;
    if (filled_ + width < 64) {
      filled_ += width;
      return;
    }
    out_.append(reinterpret_cast<const char*>(&pending_), 8);
    pending_ = filled_ == 0 ? 0 : value >> (64 - filled_);
    filled_ = filled_ + width - 64;
  }

  /// Writes the last, incomplete byte out; the next put() begins on a byte.
  void finish() {
    out_.append(reinterpret_cast<const char*>(&pending_), (filled_ + 7) / 8);
    pending_ = 0;
    filled_ = 0;
  }

 private:
  std::string& out_;
  std::uint64_t pending_ = 0;
  unsigned filled_ = 0;  // below 64
};

/// Reads what BitWriter wrote; past the end it gives zeros and ok() is false.
class BitReader {
 public:
  explicit BitReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  std::uint64_t get(unsigned width) {
    if (at_ + width > bytes_.size() * 8) {
      ok_ = false;
      return 0;
    }
    if (width == 0) return 0;
    const std::size_t byte = at_ / 8;
    const unsigned shift = at_ % 8;
    at_ += width;
    std::uint64_t value = load(byte) >> shift;
    if (shift + width > 64) {
      value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes_[byte + 8]))
               << (64 - shift);
    }
    return value & lowBits(width);
  }

 private:
  std::uint64_t load(std::size_t byte) const {
    std::uint64_t value = 0;
    const std::size_t left = bytes_.size() - byte;
    std::memcpy(&value, bytes_.data() + byte, left < 8 ? left : 8);
    return value;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;  // in bits
  bool ok_ = true;
};

}  // namespace virtseer::store

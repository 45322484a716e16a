#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace virtseer::store {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "stored integers are copied as they are");

/// Maps signed to unsigned so that small magnitudes stay small: 0, -1, 1, -2 become 0, 1, 2, 3.
constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ (0 - (value & 1)));
}

/// Bytes that putVarint() takes.
constexpr std::size_t varintBytes(std::uint64_t value) {
  std::size_t bytes = 1;
  while (value >= 128) value >>= 7, ++bytes;
  return bytes;
}

inline void putU8(std::string& out, std::uint8_t value) {
  out.push_back(static_cast<char>(value));
}
inline void putU16(std::string& out, std::uint16_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void putU32(std::string& out, std::uint32_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void putU64(std::string& out, std::uint64_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
/// Seven bits a byte, low ones first, the high bit set on all but the last byte.
inline void putVarint(std::string& out, std::uint64_t value) {
  while (value >= 128) {
    out.push_back(static_cast<char>(value | 128));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}
inline void putZigzag(std::string& out, std::int64_t value) {
  putVarint(out, zigzag(value));
}
/// Length as varint, then the bytes.
inline void putText(std::string& out, std::string_view text) {
  putVarint(out, text.size());
  out.append(text);
}
/// Overwrites four bytes at `offset`, which must exist.
inline void setU32(std::string& out, std::size_t offset, std::uint32_t value) {
  std::memcpy(out.data() + offset, &value, sizeof value);
}

/// Reads stored bytes, never beyond their end: a read that would go there gives 0 or nothing and
/// makes ok() false for good. Keeps no copy: the bytes must outlive it.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  std::size_t left() const { return bytes_.size() - at_; }
  std::size_t position() const { return at_; }
  bool atEnd() const { return ok_ && left() == 0; }

  std::uint8_t u8() { return fixed<std::uint8_t>(); }
  std::uint16_t u16() { return fixed<std::uint16_t>(); }
  std::uint32_t u32() { return fixed<std::uint32_t>(); }
  std::uint64_t u64() { return fixed<std::uint64_t>(); }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && at_ < bytes_.size(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(bytes_[at_++]);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
    ok_ = false;
    return 0;
  }
  std::int64_t zigzag() { return unzigzag(varint()); }

  std::string_view take(std::uint64_t count) {
    if (!ok_ || count > left()) {
      ok_ = false;
      return {};
    }
    const auto part = bytes_.substr(at_, static_cast<std::size_t>(count));
    at_ += part.size();
    return part;
  }
  std::string_view text() { return take(varint()); }
  void fail() { ok_ = false; }

 private:
  template <class T>
  T fixed() {
    T value = 0;
    const auto part = take(sizeof value);
    if (ok_) std::memcpy(&value, part.data(), sizeof value);
    return value;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace virtseer::store

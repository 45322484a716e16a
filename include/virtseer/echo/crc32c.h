#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace virtseer::echo {
namespace detail {

/// Remainders of every byte for the reflected Castagnoli polynomial (RFC 3720, appendix B.4).
inline constexpr std::array<std::uint32_t, 256> kCrc32cTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0u);
    table[i] = crc;
  }
  return table;
}();

}  // namespace detail

/// CRC-32C of `bytes`; a sum over pieces is continued by passing the sum so far as `crc`.
constexpr std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0) {
  crc = ~crc;
  for (const char c : bytes)
    crc = detail::kCrc32cTable[(crc ^ static_cast<std::uint8_t>(c)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

static_assert(crc32c("123456789") == 0xE3069283u);

}  // namespace virtseer::echo

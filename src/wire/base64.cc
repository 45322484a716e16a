#include "wire/base64.h"

#include <array>

namespace virtseer::wire {
namespace {

constexpr std::string_view kLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xFF;

constexpr std::array<std::uint8_t, 256> kValueOf = [] {
  std::array<std::uint8_t, 256> out{};
  out.fill(kNone);
  for (std::size_t i = 0; i < kLetters.size(); ++i)
    out[static_cast<unsigned char>(kLetters[i])] = static_cast<std::uint8_t>(i);
  return out;
}();

std::uint32_t byteAt(std::span<const std::uint16_t> numbers, std::size_t at) {
  return numbers[at / 2] >> (at % 2 * 8) & 0xFFU;
}

}  // namespace

std::string base64(std::span<const std::uint16_t> numbers) {
  const std::size_t bytes = numbers.size() * 2;
  std::string out;
  out.reserve((bytes + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes; at += 3) {
    const std::size_t there = bytes - at < 3 ? bytes - at : 3;
    std::uint32_t group = byteAt(numbers, at) << 16;
    if (there > 1) group |= byteAt(numbers, at + 1) << 8;
    if (there > 2) group |= byteAt(numbers, at + 2);
    out += kLetters[group >> 18];
    out += kLetters[group >> 12 & 63];
    out += there > 1 ? kLetters[group >> 6 & 63] : '=';
    out += there > 2 ? kLetters[group & 63] : '=';
  }
  return out;
}

std::optional<std::vector<std::uint16_t>> fromBase64(std::string_view text, std::size_t count) {
  const std::size_t bytes = count * 2;
  if (text.size() != (bytes + 2) / 3 * 4) return std::nullopt;
  std::vector<std::uint16_t> out(count);
  for (std::size_t at = 0, letter = 0; at < bytes; at += 3, letter += 4) {
    const std::size_t there = bytes - at < 3 ? bytes - at : 3;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint8_t value =
          i <= there ? kValueOf[static_cast<unsigned char>(text[letter + i])]
                     : static_cast<std::uint8_t>(text[letter + i] == '=' ? 0 : kNone);
      if (value == kNone) return std::nullopt;
      group = group << 6 | value;
    }
    // Bits behind the last byte must be zero, so that each list of numbers has one text.
    if ((there == 1 && (group & 0xFFFF) != 0) || (there == 2 && (group & 0xFF) != 0))
      return std::nullopt;
    for (std::size_t i = 0; i < there; ++i) {
      const auto byte = static_cast<std::uint16_t>(group >> (16 - i * 8) & 0xFF);
      auto& number = out[(at + i) / 2];
      number = static_cast<std::uint16_t>(number | byte << ((at + i) % 2 * 8));
    }
  }
  return out;
}

}  // namespace virtseer::wire

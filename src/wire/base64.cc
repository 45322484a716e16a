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

}  // namespace

std::string base64(std::span<const std::uint16_t> numbers) {
  const std::size_t bytes = numbers.size() * 2;
  const auto byte = [&](std::size_t at) -> std::uint32_t {
    return at < bytes ? numbers[at / 2] >> (at % 2 * 8) & 0xFFU : 0;
  };
  std::string out((bytes + 2) / 3 * 4, '=');
  char* letters = out.data();
  for (std::size_t at = 0; at < bytes; at += 3, letters += 4) {
    const std::uint32_t group = byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
    letters[0] = kLetters[group >> 18];
    letters[1] = kLetters[group >> 12 & 63];
    if (at + 1 < bytes) letters[2] = kLetters[group >> 6 & 63];
    if (at + 2 < bytes) letters[3] = kLetters[group & 63];
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

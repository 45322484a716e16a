#pragma once

#include <cstdint>
#include <string_view>

namespace virtseer::store {

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`; `before` is the checksum of what stands
/// in front of them. Uses the processor's instruction where there is one.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

/// The same without the instruction; for its test.
std::uint32_t crc32cByTable(std::string_view bytes, std::uint32_t before = 0);

}  // namespace virtseer::store

#pragma once

#include <cstdint>
#include <string_view>

#include "store/bytes.h"
#include "store/crc32c.h"

namespace virtseer::store {

/// Types of journal records; shared by the encoder and the reader alone.
inline constexpr std::uint8_t kStreamRecord = 1, kNamesRecord = 2, kRowRecord = 3;

/// Of a whole record but its checksum: marker and length, then type and payload.
inline std::uint32_t recordCrc(std::string_view record) {
  return crc32c(record.substr(12), crc32c(record.substr(0, 8)));
}

}  // namespace virtseer::store

#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "store/bytes.h"

namespace virtseer::store {

/// Appends the packed form of `values` (one at least): what remains after the first value, a common
/// factor and the best of three orders of differences are taken off, in bits. FORMAT.md, "Packed
/// integers". Exact for all 64-bit values.
void packIntegers(std::span<const std::int64_t> values, std::string& out);

/// Reads as many integers as `values` has room for (one at least); false if the bytes are not that.
bool unpackIntegers(ByteReader& in, std::span<std::int64_t> values);

}  // namespace virtseer::store

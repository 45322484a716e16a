#pragma once

#include <span>
#include <string>

#include "store/bytes.h"

namespace virtseer::store {

/// Decimal-scaled integers: for numbers that were written with a few decimals (percentages,
/// counters, bytes). Appends the form of `values` (one at least, none missing) and is true if every
/// one is exactly m / 10^places with |m| <= 2^53 and at most nine places; else appends nothing.
bool encodeScaled(std::span<const double> values, std::string& out);

/// Fills `values`; false if the bytes are not that.
bool decodeScaled(ByteReader& in, std::span<double> values);

}  // namespace virtseer::store

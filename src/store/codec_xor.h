#pragma once

#include <span>
#include <string>

#include "store/bytes.h"

namespace virtseer::store {

/// Exclusive-or of neighbours, for real doubles of any bits (after Pelkonen et al., "Gorilla: a
/// fast, scalable, in-memory time series database", VLDB 2015). FORMAT.md, "Exclusive or". One
/// value at least.
void encodeXor(std::span<const double> values, std::string& out);

/// Fills `values` from all that is left of `in`; false if the bytes are not that.
bool decodeXor(ByteReader& in, std::span<double> values);

}  // namespace virtseer::store

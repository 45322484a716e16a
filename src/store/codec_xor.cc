#include "store/codec_xor.h"

#include <bit>
#include <cstdint>

#include "store/bits.h"

namespace virtseer::store {

void encodeXor(std::span<const double> values, std::string& out) {
  auto before = std::bit_cast<std::uint64_t>(values[0]);
  putU64(out, before);
  BitWriter bits(out);
  unsigned lead = 64, width = 0;  // the window in use; none yet
  for (const double value : values.subspan(1)) {
    const auto now = std::bit_cast<std::uint64_t>(value);
    const std::uint64_t change = now ^ before;
    before = now;
    if (change == 0) {
      bits.put(0, 1);
      continue;
    }
    const auto own_lead = static_cast<unsigned>(std::countl_zero(change));
    const auto trail = static_cast<unsigned>(std::countr_zero(change));
    const unsigned own_width = 64 - own_lead - trail;
    const bool fits = width != 0 && own_lead >= lead && trail >= 64 - lead - width;
    // A new window costs twelve bits: keep a wider one that fits unless it wastes more.
    if (fits && width <= own_width + 12) {
      bits.put(1, 2);
    } else {
      lead = own_lead, width = own_width;
      bits.put(3 | lead << 2 | (width - 1) << 8, 14);
    }
    bits.put(change >> (64 - lead - width), width);
  }
  bits.finish();
}

bool decodeXor(ByteReader& in, std::span<double> values) {
  std::uint64_t before = in.u64();
  BitReader bits(in.take(in.left()));
  if (!in.ok() || values.empty()) return false;
  values[0] = std::bit_cast<double>(before);
  unsigned lead = 64, width = 0;
  for (double& value : values.subspan(1)) {
    if (bits.get(1) != 0) {
      if (bits.get(1) != 0) {
        lead = static_cast<unsigned>(bits.get(6));
        width = static_cast<unsigned>(bits.get(6)) + 1;
      }
      if (width == 0 || lead + width > 64) return false;
      before ^= bits.get(width) << (64 - lead - width);
    }
    value = std::bit_cast<double>(before);
  }
  return bits.ok();
}

}  // namespace virtseer::store

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "store/bytes.h"
#include "store/crc32c.h"
#include "store/journal_format.h"

namespace {

using namespace virtseer;
using namespace virtseer::store;

constexpr std::uint32_t kMarker = 0x0BADCAFE;

void read(std::string_view bytes) {
  const SegmentListener listener{
      .names =
          [](const StreamId&, Column first, std::vector<SeriesName> names) {
            if (first + names.size() > echo::kMaxColumns) std::abort();
          },
      .row =
          [](const StreamId&, const Row& row) {
            if (row.columns.size() != row.values.size()) std::abort();
            for (std::size_t i = 0; i < row.columns.size(); ++i) {
              if (row.columns[i] >= echo::kMaxColumns || std::isnan(row.values[i])) std::abort();
            }
          }};
  const auto reading = readSegment(bytes, listener);
  if (reading.good_bytes > bytes.size()) std::abort();
}

/// Cuts the input into records (a length, then that many bytes) with right checksums.
std::string framed(std::string_view input) {
  std::string out = encodeSegmentHeader({kMarker, 1, 0});
  while (!input.empty()) {
    const std::size_t length =
        std::min<std::size_t>(static_cast<unsigned char>(input[0]), input.size() - 1);
    const auto body = input.substr(1, length);
    input.remove_prefix(1 + length);
    const std::size_t start = out.size();
    putU32(out, kMarker);
    putU32(out, static_cast<std::uint32_t>(body.size()));
    putU32(out, 0);
    out += body;
    const std::string_view record = std::string_view(out).substr(start);
    setU32(out, start + 8, crc32c(record.substr(12), crc32c(record.substr(0, 8))));
  }
  return out;
}

}  // namespace

/// Segments as they are, behind a right header, and cut into records with right checksums.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  read(encodeSegmentHeader({kMarker, 1, 0}).append(bytes));
  read(framed(bytes));
  return 0;
}

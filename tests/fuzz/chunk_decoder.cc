#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/chunk.h"
#include "store/codec_column.h"
#include "store/crc32c.h"
#include "store/keys.h"

namespace {

using namespace virtseer;
using namespace virtseer::store;

void readAll(std::string_view bytes) {
  auto chunk = ChunkReader::open(bytes);
  if (!chunk) return;
  std::vector<double> values;
  for (const Column column : chunk->columns()) (void)chunk->decode(column, values);
}

/// Puts the right checksum on the head, so that what lies behind it is reached.
std::string withChecksum(std::string bytes) {
  if (bytes.size() < 20) return bytes;
  bytes[0] = 1;
  std::uint32_t head = 0;
  std::memcpy(&head, bytes.data() + 8, 4);
  head = 20 + head % static_cast<std::uint32_t>(bytes.size() - 19);
  std::memcpy(bytes.data() + 8, &head, 4);
  const std::string_view view(bytes);
  const std::uint32_t crc = crc32c(view.substr(8, head - 8), crc32c(view.substr(0, 4)));
  std::memcpy(bytes.data() + 4, &crc, 4);
  return bytes;
}

}  // namespace

/// Chunks as they are and with a right checksum, single columns of any codec, and the small values.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  readAll(bytes);
  readAll(withChecksum(std::string(bytes)));
  (void)parseNameValue(bytes);
  (void)parseEventValue(1, bytes);
  if (size >= 2) {
    std::vector<double> values(data[1] + 1U);
    (void)decodeColumn(data[0], bytes.substr(2), values);
  }
  return 0;
}

#include "store/chunk_view.h"

#include <algorithm>
#include <cmath>

#include "store/chunk.h"
#include "store/keys.h"

namespace virtseer::store {
namespace {

/// How far a reader jumps to get past a block that cannot be read, at first; doubled each time.
constexpr std::int64_t kFirstJumpMs = 1000;
constexpr int kMostJumps = 40;

/// Moves past a damaged block, to the next chunk of the stream that can be read. False if there is
/// none.
bool jump(Cursor& cursor, const StreamId& id, std::int64_t from, std::int64_t before) {
  std::int64_t step = kFirstJumpMs;
  for (int i = 0; i < kMostJumps && from < before; ++i, step *= 2) {
    from += step;
    cursor.seek(chunkKey(id, from));
    if (cursor.valid()) return true;
    if (cursor.status()) return false;
  }
  return false;
}

}  // namespace

std::optional<std::int64_t> chunkStart(const Cursor& cursor, const StreamId& id) {
  if (!cursor.valid() || !cursor.key().starts_with(streamKey(id))) return std::nullopt;
  return parseChunkKey(cursor.key());
}

void seekChunk(Cursor& cursor, const StreamId& id, std::int64_t time) {
  cursor.seekForPrev(chunkKey(id, time));
  if (!chunkStart(cursor, id)) cursor.seek(chunkKey(id, time));
}

Result<StreamView::Read> ChunkView::read(std::span<const Column> columns) const {
  Read read;
  read.columns.resize(columns.size());
  // What is in memory is complete from its first row on; the chunks of the same rows are not read.
  std::int64_t memory_from = INT64_MAX;
  if (!memory_.empty()) memory_from = memory_.front().slab->times[memory_.front().first];
  if (from_ < memory_from) {
    const auto chunks = readChunks(columns, std::min(to_, memory_from), read);
    if (!chunks) return fail(chunks.error());
  }
  collectPoints(memory_, columns, from_, to_, read.columns);
  damage_->fetch_add(read.damaged, std::memory_order_relaxed);
  return read;
}

Result<void> ChunkView::readChunks(std::span<const Column> columns, std::int64_t before,
                                   Read& read) const {
  const auto cursor = database_->cursor(Family::chunks);
  seekChunk(*cursor, id_, from_);
  std::int64_t at = from_;
  while (true) {
    if (!cursor->valid()) {
      const auto status = cursor->status();
      if (status) return {};
      if (status.error().code != Code::corrupt) return status;
      ++read.damaged;
      if (!jump(*cursor, id_, at, before)) return {};
      continue;
    }
    const auto start = chunkStart(*cursor, id_);
    if (!start || *start >= before) return {};
    at = std::max(at, *start);
    readChunk(cursor->value(), columns, before, read);
    cursor->next();
  }
}

void ChunkView::readChunk(std::string_view value, std::span<const Column> columns,
                          std::int64_t before, Read& read) const {
  auto chunk = ChunkReader::open(value);
  if (!chunk) {
    ++read.damaged;
    return;
  }
  const auto& times = chunk->times();
  const auto first = std::ranges::lower_bound(times, from_) - times.begin();
  const auto last = std::ranges::lower_bound(times, before) - times.begin();
  if (first >= last) return;
  bool damaged = false;
  std::vector<double> values;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (!chunk->has(columns[c])) continue;
    if (!chunk->decode(columns[c], values)) {
      damaged = true;
      continue;
    }
    auto& points = read.columns[c];
    for (auto r = first; r < last; ++r) {
      const auto row = static_cast<std::size_t>(r);
      if (!std::isnan(values[row])) points.push_back({Timestamp(Millis(times[row])), values[row]});
    }
  }
  read.damaged += damaged;
}

}  // namespace virtseer::store

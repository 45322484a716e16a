#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "store/database.h"
#include "store/series_store.h"
#include "store/slab.h"

namespace virtseer::store {

/// Chunks and journal records that were found corrupt; shared by those that read.
using DamageCount = std::shared_ptr<std::atomic<std::uint64_t>>;

/// One stream from `from` to before `to` (ms): chunks of the database, then rows in memory.
class ChunkView final : public StreamView {
 public:
  ChunkView(std::shared_ptr<Database> database, DamageCount damage, StreamId id, std::int64_t from,
            std::int64_t to, std::vector<SlabView> memory)
      : database_(std::move(database)),
        damage_(std::move(damage)),
        id_(id),
        from_(from),
        to_(to),
        memory_(std::move(memory)) {}

  Result<Read> read(std::span<const Column> columns) const override;

 private:
  Result<void> readChunks(std::span<const Column> columns, std::int64_t before, Read& read) const;
  void readChunk(std::string_view value, std::span<const Column> columns, std::int64_t before,
                 Read& read) const;

  std::shared_ptr<Database> database_;
  DamageCount damage_;
  StreamId id_;
  std::int64_t from_, to_;
  std::vector<SlabView> memory_;
};

/// The stream's chunks from the one in which `time` would lie: moves `cursor` there, or to the
/// first one behind. Then use chunkStart() to see whether it still stands in the stream.
void seekChunk(Cursor& cursor, const StreamId& id, std::int64_t time);

/// The first time of the chunk at `cursor`; nothing if it is not one of the stream.
std::optional<std::int64_t> chunkStart(const Cursor& cursor, const StreamId& id);

}  // namespace virtseer::store

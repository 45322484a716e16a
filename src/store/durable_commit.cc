#include "store/durable_commit.h"

#include <algorithm>
#include <cmath>

#include "store/chunk.h"
#include "store/keys.h"

namespace virtseer::store {
namespace {

/// A batch is written in pieces of about this size, so that the database's buffers keep their
/// bound.
constexpr std::size_t kBatchBytes = 4u << 20;

std::string streamValue() {
  return std::string(1, '\1');
}

}  // namespace

Result<void> DurableCommit::write(bool sync) {
  if (auto done = writeJournal(sync); !done) return done;
  journaled = true;
  synced = sync;
  if (auto done = writeDatabase(sync); !done) return done;
  releaseSegments();
  return {};
}

Result<void> DurableCommit::writeJournal(bool sync) {
  const bool anything = std::ranges::any_of(
      parts, [](const CommitPart& part) { return !part.rows.empty() || !part.names.empty(); });
  if (!anything) return sync ? journal_->sync() : Result<void>{};
  const auto begun = journal_->begin(now_ms_);
  if (!begun) return fail(begun.error());
  segment = *begun;
  std::vector<double> values;
  for (const CommitPart& part : parts) {
    const std::size_t skip = part.first_name - part.first_unlisted;
    if (skip < part.names.size()) {
      journal_->names(part.id, part.first_name, std::span(part.names).subspan(skip));
    }
    for (const SlabView& view : part.rows) {
      Column width = 0;
      for (std::uint32_t i = 0; i < view.columns; ++i) {
        width = std::max(width, view.slab->columns[i] + 1);
      }
      for (std::uint32_t r = view.first; r < view.last; ++r) {
        values.assign(width, kMissing);
        for (std::uint32_t i = 0; i < view.columns; ++i) {
          values[view.slab->columns[i]] = view.slab->row(r)[i];
        }
        journal_->row(part.id, view.slab->times[r], values);
      }
    }
  }
  if (auto flushed = journal_->flush(); !flushed) return flushed;
  return sync ? journal_->sync() : Result<void>{};
}

Result<void> DurableCommit::writeDatabase(bool sync) {
  std::vector<Change> changes;
  std::size_t bytes = 0;
  bool chunks = false;
  const auto put = [&](Family family, std::string key, std::string value) {
    bytes += key.size() + value.size();
    changes.push_back({family, std::move(key), std::move(value)});
  };
  const auto flush = [&](bool now) -> Result<void> {
    if (changes.empty()) return {};
    auto written = database_->write(changes, now);
    changes.clear();
    bytes = 0;
    return written;
  };
  for (const CommitPart& part : parts) {
    if (part.new_stream) put(Family::index, streamKey(part.id), streamValue());
    for (std::size_t i = 0; i < part.names.size(); ++i) {
      const auto column = static_cast<Column>(part.first_unlisted + i);
      put(Family::index, columnKey(part.id, column), nameValue(part.names[i]));
    }
  }
  for (const CommitPart& part : parts) {
    for (const auto& views : part.chunks) {
      const ChunkRows rows = gatherRows(views);
      put(Family::chunks, chunkKey(part.id, rows.times.front()), encodeChunk(rows));
      chunks = true;
      // Syncing the last piece syncs them all: they are in one log.
      if (bytes > kBatchBytes) {
        if (auto written = flush(false); !written) return written;
      }
    }
  }
  // Journal segments are released by a later commit because these chunks are on the disk.
  if (changes.empty() && chunks) return database_->write({}, true);
  return flush(sync || chunks);
}

/// A segment that cannot be removed stays for the next commit: what was to be written is written.
void DurableCommit::releaseSegments() {
  for (const std::uint64_t number : release) {
    if (journal_->remove(number)) released.push_back(number);
  }
}

}  // namespace virtseer::store

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "store/chunk.h"
#include "store/durable_series.h"
#include "store/files.h"
#include "store/keys.h"

namespace virtseer::store {
namespace {

constexpr std::size_t kMaxSegmentBytes = 1u << 30;
/// Replayed rows that fill chunks are stored before they take more memory than this.
constexpr std::size_t kReplayBytes = 8u << 20;
/// How many chunks back the last value of a column is looked for.
constexpr int kLatestChunks = 4;
constexpr int kRecentChunks = 16;

/// Stands where the name of a column was lost, so that its number is not given to another one.
SeriesName lostName(std::size_t column) {
  return {.metric = fmt::format("lost_name_{}", column), .labels = {}, .kind = Kind::gauge};
}

/// Sets the last value of those columns of the chunk that have none yet. False if it is damaged.
bool takeLatest(Stream& stream, ChunkReader& chunk) {
  bool good = true;
  std::vector<double> values;
  for (const Column column : chunk.columns()) {
    if (stream.hasLatest(column)) continue;
    if (!chunk.decode(column, values)) {
      good = false;
      continue;
    }
    for (std::size_t r = values.size(); r-- > 0;) {
      if (std::isnan(values[r])) continue;
      stream.setLatest(column, chunk.times()[r], values[r]);
      break;
    }
  }
  return good;
}

/// The chunk's rows from `from` on.
ChunkRows rowsSince(ChunkReader& chunk, std::int64_t from) {
  ChunkRows rows;
  const auto& times = chunk.times();
  const auto first = std::ranges::lower_bound(times, from) - times.begin();
  rows.times.assign(times.begin() + first, times.end());
  std::vector<double> values;
  for (const Column column : chunk.columns()) {
    if (!chunk.decode(column, values)) continue;
    rows.columns.push_back(column);
    rows.values.insert(rows.values.end(), values.begin() + first, values.end());
  }
  return rows;
}

}  // namespace

Result<void> DurableSeries::restore(Timestamp now, std::vector<std::string>& remarks) {
  now_ms_ = now.time_since_epoch().count();
  if (auto done = restoreIndex(); !done) return done;
  if (auto done = restoreEnds(now_ms_); !done) return done;
  if (auto done = replay(remarks); !done) return done;
  if (const auto damaged = damage_->load(); damaged > 0) {
    remarks.push_back(fmt::format("{} damaged chunks or journal records were left out", damaged));
  }
  return {};
}

/// Takes over the names of columns first, first + 1, ... that are not known yet.
void DurableSeries::restoreNames(Entry& known, Column first, std::span<const SeriesName> names) {
  Stream& stream = known.stream;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::size_t column = first + i;
    if (column >= echo::kMaxColumns) return;
    while (stream.names().size() < column) {
      const SeriesName lost = lostName(stream.names().size());
      if (!stream.declare({&lost, 1})) return;
    }
    if (stream.names().size() == column && !stream.declare({&names[i], 1})) return;
  }
}

Result<void> DurableSeries::restoreIndex() {
  const auto cursor = database_->cursor(Family::index);
  for (cursor->seek(""); cursor->valid(); cursor->next()) {
    const auto id = parseStream(cursor->key());
    if (!id) {
      ++*damage_;
      continue;
    }
    Entry& known = entry(*id);
    known.listed = true;
    const auto column = parseColumnKey(cursor->key());
    if (!column) continue;
    const auto name = parseNameValue(cursor->value());
    if (!name) ++*damage_;
    const SeriesName taken = name ? *name : lostName(*column);
    restoreNames(known, *column, {&taken, 1});
    known.listed_names = known.journaled_names = static_cast<Column>(known.stream.names().size());
  }
  return cursor->status();
}

Result<void> DurableSeries::restoreEnds(std::int64_t now) {
  const auto cursor = database_->cursor(Family::chunks);
  for (const auto& [id, known] : streams_) {
    restoreEnd(*known, *cursor, now);
    if (cursor->status()) continue;
    if (cursor->status().error().code != Code::corrupt) return cursor->status();
    ++*damage_;
  }
  return {};
}

/// Last time, last values and the last minute of a stream, from its last chunks.
void DurableSeries::restoreEnd(Entry& known, Cursor& cursor, std::int64_t now) {
  Stream& stream = known.stream;
  std::vector<ChunkRows> recent;
  cursor.seekForPrev(chunkKey(stream.id(), INT64_MAX));
  for (int back = 0; back < kRecentChunks; ++back, cursor.prev()) {
    const auto start = chunkStart(cursor, stream.id());
    if (!start) break;
    if (!stream.lastTime()) stream.setLastTime(*start);
    auto chunk = ChunkReader::open(cursor.value());
    if (!chunk) {
      ++*damage_;
      continue;
    }
    stream.setLastTime(std::max(*stream.lastTime(), chunk->lastTime()));
    const auto columns = chunk->columns();
    if (!columns.empty()) {
      // The numbers of columns whose names were lost must not be given away again.
      const SeriesName lost = lostName(columns.back());
      restoreNames(known, columns.back(), {&lost, 1});
    }
    const bool young = chunk->lastTime() >= now - kRecentMs;
    if (young) recent.push_back(rowsSince(*chunk, now - kRecentMs));
    if (back < kLatestChunks && !takeLatest(stream, *chunk)) ++*damage_;
    const bool all_latest = stream.latest().size() == stream.names().size();
    if (!young && (all_latest || back + 1 >= kLatestChunks)) break;
  }
  for (auto rows = recent.rbegin(); rows != recent.rend(); ++rows) stream.addStored(*rows);
}

Result<void> DurableSeries::replay(std::vector<std::string>& remarks) {
  const auto segments = listSegments(journal_directory_);
  if (!segments) return fail(segments.error());
  journal_ = std::make_shared<Journal>(journal_directory_, *segments, Journal::Options{});
  for (std::size_t i = 0; i < segments->size(); ++i) {
    const bool last = i + 1 == segments->size();
    if (auto done = replaySegment((*segments)[i], last, remarks); !done) return done;
    segments_.insert((*segments)[i].number);
    if (auto done = storeReplayed(); !done) return done;
  }
  return {};
}

Result<void> DurableSeries::replaySegment(const Segment& segment, bool last,
                                          std::vector<std::string>& remarks) {
  const auto bytes = readFile(segment.path, kMaxSegmentBytes);
  if (!bytes) return fail(bytes.error());
  const SegmentListener listener{
      .names =
          [&](const StreamId& id, Column first, std::vector<SeriesName> names) {
            Entry& known = entry(id);
            restoreNames(known, first, names);
            known.journaled_names = static_cast<Column>(known.stream.names().size());
            mark(known);
          },
      .row = [&](const StreamId& id, const Row& row) { replayRow(id, row, segment.number); }};
  const auto reading = readSegment(*bytes, listener);
  std::uint64_t damaged = reading.damaged;
  // Only the last segment can have been cut short by the end of the program that wrote it.
  if (reading.torn && last && (reading.header_ok || bytes->size() < kSegmentHeaderBytes)) {
    remarks.push_back(fmt::format("the end of {} was cut short: {} bytes dropped",
                                  segment.path.string(), bytes->size() - reading.good_bytes));
    if (::truncate(segment.path.c_str(), static_cast<off_t>(reading.good_bytes)) != 0) {
      return fail(systemError(segment.path.string(), errno));
    }
  } else {
    damaged += reading.torn;
  }
  if (damaged > 0) {
    *damage_ += damaged;
    journal_->markDamaged(segment.number);
    remarks.push_back(fmt::format("{} is damaged in {} places; it is kept as {}.damaged",
                                  segment.path.string(), damaged,
                                  segment.path.filename().string()));
  }
  return {};
}

void DurableSeries::replayRow(const StreamId& id, const Row& row, std::uint64_t segment) {
  Entry& known = entry(id);
  Stream& stream = known.stream;
  if (stream.lastTime() && row.time.time_since_epoch().count() <= *stream.lastTime()) return;
  if (!row.columns.empty() && row.columns.back() >= stream.names().size()) {
    // Its name was in a record that is lost; the number must not be given to another name.
    ++*damage_;
    const SeriesName lost = lostName(row.columns.back());
    restoreNames(known, row.columns.back(), {&lost, 1});
  }
  std::uint64_t samples = 0;
  const std::uint32_t open_before = stream.openRows() + 1;
  if (!stream.append(row, rows_per_chunk_, samples)) return;
  Piece& piece = stream.pieces().back();
  piece.journaled = piece.rows;
  piece.segment = std::min(piece.segment, segment);
  countClosed(stream, open_before);
  awaitIdle(known);
  noteNeeded(known, std::min(known.needed, segment));
  mark(known);
}

Result<void> DurableSeries::storeReplayed() {
  if (waiting_bytes_ < kReplayBytes) return {};
  auto commit = takeCommit(Timestamp(Millis(INT64_MIN)));
  if (!commit) return {};
  const auto outcome = commit->write(false);
  settle(std::move(commit), outcome);
  return outcome;
}

}  // namespace virtseer::store

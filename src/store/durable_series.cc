#include "store/durable_series.h"

#include <algorithm>
#include <utility>

namespace virtseer::store {
namespace {

/// Streams that seldom have rows would keep journal segments for hours: beyond this many the chunks
/// that need the oldest one are closed early.
constexpr std::size_t kMaxSegments = 32;

std::int64_t msOf(Timestamp time) {
  return time.time_since_epoch().count();
}

std::size_t rowBytes(const Piece& piece) {
  return sizeof(std::int64_t) + piece.slab->column_capacity * sizeof(double);
}

}  // namespace

DurableSeries::DurableSeries(const StoreOptions& options, std::shared_ptr<Database> database,
                             std::filesystem::path journal_directory)
    : options_(options),
      rows_per_chunk_(std::clamp<std::uint32_t>(options.rows_per_chunk, 1, kMaxChunkRows)),
      database_(std::move(database)),
      journal_directory_(std::move(journal_directory)) {}

DurableSeries::Entry& DurableSeries::entry(const StreamId& id) {
  auto& slot = streams_[id];
  if (!slot) slot = std::make_unique<Entry>(id);
  return *slot;
}

const Stream* DurableSeries::find(const StreamId& id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second->stream;
}

void DurableSeries::mark(Entry& entry) {
  if (!entry.dirty) dirty_.push_back(&entry);
  entry.dirty = true;
}

Result<std::vector<Column>> DurableSeries::declare(StreamId stream,
                                                   std::span<const SeriesName> names) {
  Entry& known = entry(stream);
  const std::size_t before = known.stream.names().size();
  auto columns = known.stream.declare(names);
  if (!known.listed || known.stream.names().size() > before) mark(known);
  return columns;
}

/// Keeps the account of rows that wait for the database, after a stream may have closed a chunk.
void DurableSeries::countClosed(Stream& stream, std::uint32_t open_before) {
  if (stream.openRows() != 0 || open_before == 0) return;
  auto& pieces = stream.pieces();
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    if (piece != pieces.rbegin() && piece->ends_chunk) break;
    waiting_bytes_ += piece->rows * rowBytes(*piece);
  }
}

Appended DurableSeries::append(StreamId id, const Row& row) {
  Entry& known = entry(id);
  Stream& stream = known.stream;
  if (unjournaled_bytes_ + waiting_bytes_ > options_.max_unwritten_bytes &&
      (!stream.lastTime() || msOf(row.time) > *stream.lastTime())) {
    stream.touch(row);
    ++counts_.overflow;
    return Appended::overflow;
  }
  const std::uint32_t open_before = stream.openRows() + 1;
  if (!stream.append(row, rows_per_chunk_, counts_.samples)) {
    ++counts_.late;
    return Appended::late;
  }
  ++counts_.rows;
  now_ms_ = std::max(now_ms_, msOf(row.time));
  unjournaled_bytes_ += rowBytes(stream.pieces().back());
  countClosed(stream, open_before);
  awaitIdle(known);
  mark(known);
  return Appended::taken;
}

std::vector<StreamId> DurableSeries::streams() const {
  std::vector<StreamId> ids;
  ids.reserve(streams_.size());
  for (const auto& [id, known] : streams_) ids.push_back(id);
  return ids;
}

std::span<const SeriesName> DurableSeries::names(StreamId id) const {
  const Stream* stream = find(id);
  return stream == nullptr ? std::span<const SeriesName>{} : stream->names();
}

std::vector<Latest> DurableSeries::latest(StreamId id) const {
  const Stream* stream = find(id);
  return stream == nullptr ? std::vector<Latest>{} : stream->latest();
}

std::optional<Timestamp> DurableSeries::lastTime(StreamId id) const {
  const Stream* stream = find(id);
  if (stream == nullptr || !stream->lastTime()) return std::nullopt;
  return Timestamp(Millis(*stream->lastTime()));
}

std::vector<std::vector<Point>> DurableSeries::recent(StreamId id, std::span<const Column> columns,
                                                      Timestamp since) const {
  std::vector<std::vector<Point>> points(columns.size());
  if (const Stream* stream = find(id)) {
    collectPoints(stream->views(), columns, msOf(since), INT64_MAX, points);
  }
  return points;
}

std::shared_ptr<const StreamView> DurableSeries::view(StreamId id, Timestamp from,
                                                      Timestamp to) const {
  const Stream* stream = find(id);
  return std::make_shared<ChunkView>(database_, damage_, id, msOf(from), msOf(to),
                                     stream == nullptr ? std::vector<SlabView>{} : stream->views());
}

/// Has the stream looked at when it may have become idle.
void DurableSeries::awaitIdle(Entry& known) {
  if (known.awaited || known.stream.openRows() == 0) return;
  known.awaited = true;
  idle_.emplace(*known.stream.lastTime(), known.stream.id());
}

void DurableSeries::noteNeeded(Entry& known, std::uint64_t segment) {
  if (known.needed == segment) return;
  if (known.needed != UINT64_MAX) needed_.erase({known.needed, known.stream.id()});
  known.needed = segment;
  if (segment != UINT64_MAX) needed_.emplace(segment, known.stream.id());
}

std::uint64_t DurableSeries::oldestNeeded() const {
  return needed_.empty() ? UINT64_MAX : needed_.begin()->first;
}

void DurableSeries::close(Entry& known) {
  const std::uint32_t open_before = known.stream.openRows();
  if (open_before == 0) return;
  known.stream.closeChunk();
  countClosed(known.stream, open_before);
  mark(known);
}

void DurableSeries::closeIdle(std::int64_t idle_before) {
  while (!idle_.empty() && idle_.begin()->first < idle_before) {
    Entry& known = entry(idle_.begin()->second);
    idle_.erase(idle_.begin());
    known.awaited = false;
    if (known.stream.openRows() == 0) continue;
    if (*known.stream.lastTime() < idle_before) {
      close(known);
    } else {
      awaitIdle(known);
    }
  }
}

/// Closes the chunks for which the oldest segment has to be kept, if there are too many segments.
void DurableSeries::closePinning() {
  if (segments_.size() <= kMaxSegments) return;
  const std::uint64_t oldest = oldestNeeded();
  for (const auto& [segment, id] : needed_) {
    if (segment != oldest) return;
    close(entry(id));
  }
}

CommitPart DurableSeries::partOf(Entry& known) {
  CommitPart part;
  part.stream = &known.stream;
  part.id = known.stream.id();
  part.first_name = known.journaled_names;
  part.first_unlisted = known.listed_names;
  part.new_stream = !known.listed;
  const auto names = known.stream.names().subspan(known.listed_names);
  part.names.assign(names.begin(), names.end());
  std::vector<SlabView> chunk;
  for (const Piece& piece : known.stream.pieces()) {
    if (piece.journaled < piece.rows) {
      part.rows.push_back({piece.slab, piece.journaled, piece.rows, piece.columns});
    }
    if (piece.stored) continue;
    chunk.push_back(piece.view());
    if (piece.ends_chunk) part.chunks.push_back(std::exchange(chunk, {}));
  }
  return part;
}

std::unique_ptr<Commit> DurableSeries::takeCommit(Timestamp close_idle) {
  if (in_commit_) return nullptr;
  closeIdle(msOf(close_idle));
  closePinning();
  std::vector<std::uint64_t> release;
  if (segments_.size() > 1) {
    const std::uint64_t needed = std::min(oldestNeeded(), *segments_.rbegin());
    release.assign(segments_.begin(), segments_.lower_bound(needed));
  }
  if (dirty_.empty() && release.empty() && !unsynced_) return nullptr;
  auto commit = std::make_unique<DurableCommit>(journal_, database_, now_ms_);
  commit->release = std::move(release);
  commit->parts.reserve(dirty_.size());
  for (Entry* known : dirty_) {
    commit->parts.push_back(partOf(*known));
    known->dirty = false;
  }
  dirty_.clear();
  in_commit_ = true;
  return commit;
}

void DurableSeries::settleJournal(const CommitPart& part, std::uint64_t segment) {
  auto& pieces = part.stream->pieces();
  for (const SlabView& view : part.rows) {
    const auto piece = std::ranges::find(pieces, view.slab, &Piece::slab);
    if (piece == pieces.end()) continue;
    piece->journaled = view.last;
    piece->segment = std::min(piece->segment, segment);
    unjournaled_bytes_ -= (view.last - view.first) * rowBytes(*piece);
  }
}

void DurableSeries::settleDatabase(Entry& known, const CommitPart& part) {
  known.listed = true;
  known.listed_names = static_cast<Column>(part.first_unlisted + part.names.size());
  for (const auto& chunk : part.chunks) {
    for (const SlabView& view : chunk) {
      const auto piece = std::ranges::find(known.stream.pieces(), view.slab, &Piece::slab);
      if (piece == known.stream.pieces().end()) continue;
      piece->stored = true;
      waiting_bytes_ -= piece->rows * rowBytes(*piece);
    }
  }
  known.stream.trim();
}

void DurableSeries::settle(std::unique_ptr<Commit> commit, const Result<void>& outcome) {
  auto* done = dynamic_cast<DurableCommit*>(commit.get());
  if (done == nullptr) return;
  in_commit_ = false;
  if (done->journaled) unsynced_ = !done->synced;
  if (done->segment != 0) segments_.insert(done->segment);
  for (const std::uint64_t number : done->released) segments_.erase(number);
  for (const CommitPart& part : done->parts) {
    Entry& known = entry(part.id);
    if (done->journaled) {
      settleJournal(part, done->segment);
      known.journaled_names = static_cast<Column>(part.first_unlisted + part.names.size());
    }
    if (outcome) {
      settleDatabase(known, part);
    } else {
      mark(known);
    }
    std::uint64_t needed = UINT64_MAX;
    for (const Piece& piece : known.stream.pieces()) {
      if (!piece.stored) needed = std::min(needed, piece.segment);
    }
    noteNeeded(known, needed);
  }
}

SeriesCounts DurableSeries::counts() const {
  SeriesCounts counts = counts_;
  counts.damaged = damage_->load(std::memory_order_relaxed);
  counts.streams = streams_.size();
  for (const auto& [id, known] : streams_) {
    counts.series += known->stream.names().size();
    counts.open_rows += known->stream.openRows();
    counts.memory_bytes += known->stream.bytes();
  }
  counts.journal_bytes = journal_ ? journal_->bytes() : 0;
  counts.disk_bytes = disk_bytes_.load(std::memory_order_relaxed);
  return counts;
}

}  // namespace virtseer::store

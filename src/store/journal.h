#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/files.h"
#include "store/journal_format.h"

namespace virtseer::store {

/// One file of the journal.
struct Segment {
  std::uint64_t number = 0;
  std::filesystem::path path;
  std::uint64_t bytes = 0;
};

/// The journal's segments in `directory`, oldest first.
Result<std::vector<Segment>> listSegments(const std::filesystem::path& directory);

/// Writes the journal: files that are only ever appended to, a new one when one is full, after
/// every start and after every failure. So a record that was cut short never stands before a good
/// one. All functions block; used by one thread at a time; sizes may be asked for by any.
class Journal {
 public:
  struct Options {
    std::uint64_t segment_bytes = 8u << 20;
  };

  /// Goes on behind `existing`, which it only removes when told to.
  Journal(std::filesystem::path directory, const std::vector<Segment>& existing, Options options);

  /// Makes sure that a segment with room is open; the records that follow go there.
  Result<std::uint64_t> begin(std::int64_t now_ms);
  void names(const StreamId& id, Column first, std::span<const SeriesName> names);
  void row(const StreamId& id, std::int64_t time, std::span<const double> values);

  /// Writes what came since begin(). After a failure none of it is in the journal (or behind every
  /// good record of a segment that is not used again), and begin() starts a new segment.
  Result<void> flush();

  /// Everything that flush() wrote is on the disk when this returns. A failure is handled like
  /// flush()'s: what was flushed since the last sync has to be written again.
  Result<void> sync();

  /// Removes a segment, which must not be the one that is written. One that is known to be damaged
  /// is renamed to `<name>.damaged` instead.
  Result<void> remove(std::uint64_t segment);
  void markDamaged(std::uint64_t segment) { segments_.at(segment).damaged = true; }

  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Known {
    std::uint64_t bytes = 0;
    bool damaged = false;
  };
  std::filesystem::path pathOf(std::uint64_t number) const;
  Result<void> open(std::int64_t now_ms);
  void abandon();

  std::filesystem::path directory_;
  Options options_;
  std::map<std::uint64_t, Known> segments_;
  std::uint64_t next_ = 1;
  std::atomic<std::uint64_t> bytes_ = 0;

  Descriptor file_;
  std::uint64_t current_ = 0;
  std::uint64_t written_ = 0;  // bytes of the current segment up to its last good record
  bool dirty_ = false;         // written since the last sync
  std::optional<SegmentEncoder> encoder_;
  std::string buffer_;
};

}  // namespace virtseer::store

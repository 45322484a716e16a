#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/series.h"

namespace virtseer::store {

/// The bytes of a journal segment: FORMAT.md, "Journal". Pure.

inline constexpr std::size_t kSegmentHeaderBytes = 36;
inline constexpr std::size_t kRecordHeaderBytes = 12;
inline constexpr std::size_t kMaxRecordBytes = 1u << 20;
inline constexpr std::size_t kMaxSegmentStreams = 1u << 16;

struct SegmentHeader {
  std::uint32_t marker = 0;  ///< random, begins every record of this segment
  std::uint64_t number = 0;
  std::int64_t created = 0;  ///< ms since the epoch
};

std::string encodeSegmentHeader(const SegmentHeader& header);
std::optional<SegmentHeader> parseSegmentHeader(std::string_view bytes);

/// Turns names and rows into the records of one segment. A row's record holds only the columns that
/// differ from the stream's row before it in this segment.
class SegmentEncoder {
 public:
  explicit SegmentEncoder(std::uint32_t marker) : marker_(marker) {}

  /// `names` are those of columns first, first + 1, ...
  void names(const StreamId& id, Column first, std::span<const SeriesName> names, std::string& out);

  /// `values` by column, NaN missing.
  void row(const StreamId& id, std::int64_t time, std::span<const double> values, std::string& out);

 private:
  struct State {
    std::uint64_t number = 0;
    std::uint64_t rows = 0;
    std::vector<double> values;
  };
  State& stateOf(const StreamId& id, std::string& out);
  void record(std::uint8_t type, std::string_view payload, std::string& out) const;

  std::uint32_t marker_;
  std::unordered_map<StreamId, State> streams_;
  std::string payload_;
  std::vector<Column> changed_;
};

/// What is told of each good record. Rows are complete: unchanged columns are filled in.
struct SegmentListener {
  std::function<void(const StreamId&, Column first, std::vector<SeriesName>)> names;
  std::function<void(const StreamId&, const Row&)> row;
};

struct SegmentReading {
  bool header_ok = false;
  std::uint64_t rows = 0;
  std::uint64_t damaged = 0;   ///< stretches or records that are no good, good ones behind them
  std::size_t good_bytes = 0;  ///< up to the end of the last good record
  bool torn = false;           ///< bytes follow that hold no good record
};

/// Reads a segment. Records whose checksum is wrong are passed over, and the next good one is
/// looked for by the segment's marker. After a gap in a stream's rows the columns that a row does
/// not name are unknown and left out of it, until they are named: a value is never guessed.
SegmentReading readSegment(std::string_view bytes, const SegmentListener& listener);

}  // namespace virtseer::store

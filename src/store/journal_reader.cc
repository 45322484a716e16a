#include <bit>
#include <cmath>

#include "store/bits.h"
#include "store/bytes.h"
#include "store/journal_format.h"
#include "store/journal_records.h"
#include "store/keys.h"

namespace virtseer::store {
namespace {

/// Bytes of checksums that looking for the next good record may cost, per byte of the segment.
constexpr std::size_t kSearchFactor = 16;

/// Where the record at `at` ends; 0 if there is no good one.
std::size_t recordEnd(std::string_view bytes, std::size_t at, std::uint32_t marker) {
  ByteReader in(bytes.substr(at));
  const bool marked = in.u32() == marker;
  const std::uint32_t length = in.u32();
  const std::uint32_t crc = in.u32();
  if (!in.ok() || !marked || length == 0 || length > kMaxRecordBytes || length > in.left())
    return 0;
  const std::size_t size = kRecordHeaderBytes + length;
  return recordCrc(bytes.substr(at, size)) == crc ? at + size : 0;
}

/// The next good record behind `at`; npos if there is none or looking takes too long.
std::size_t nextRecord(std::string_view bytes, std::size_t at, std::uint32_t marker,
                       std::size_t& budget) {
  char mark[sizeof marker];
  std::memcpy(mark, &marker, sizeof marker);
  const std::string_view pattern(mark, sizeof mark);
  while ((at = bytes.find(pattern, at + 1)) != std::string_view::npos) {
    ByteReader in(bytes.substr(at + sizeof marker));
    const std::size_t cost = in.u32();
    if (cost <= kMaxRecordBytes) {
      if (cost > budget) return std::string_view::npos;
      budget -= cost;
      if (recordEnd(bytes, at, marker) != 0) return at;
    }
  }
  return std::string_view::npos;
}

/// One stream as far as the segment has been read.
struct Reading {
  StreamId id;
  std::uint64_t next_row = 0;
  std::vector<double> values;
  std::vector<bool> known;
};

class SegmentDecoder {
 public:
  explicit SegmentDecoder(const SegmentListener& listener) : listener_(listener) {}

  /// False if the record says nothing that can be understood.
  bool take(std::uint8_t type, std::string_view payload) {
    ByteReader in(payload);
    const std::uint64_t number = in.varint();
    if (!in.ok()) return false;
    if (type == kStreamRecord) return takeStream(number, in);
    const auto stream = streams_.find(number);
    if (stream == streams_.end()) return false;
    if (type == kNamesRecord) return takeNames(stream->second, in);
    if (type == kRowRecord) return takeRow(stream->second, in);
    return false;
  }
  std::uint64_t rows() const { return rows_; }

 private:
  bool takeStream(std::uint64_t number, ByteReader& in) {
    const auto id = parseStream(in.take(kStreamKeyBytes));
    if (!id || !in.atEnd() || streams_.size() >= kMaxSegmentStreams) return false;
    streams_.insert_or_assign(number, Reading{.id = *id, .next_row = 0, .values = {}, .known = {}});
    return true;
  }

  bool takeNames(const Reading& stream, ByteReader& in) {
    const std::uint64_t first = in.varint(), count = in.varint();
    if (!in.ok() || first > echo::kMaxColumns || count > echo::kMaxColumns - first) return false;
    std::vector<SeriesName> names;
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) names.push_back(getName(in));
    if (!in.atEnd()) return false;
    listener_.names(stream.id, static_cast<Column>(first), std::move(names));
    return true;
  }

  bool readChanged(ByteReader& in) {
    changed_.clear();
    const std::uint64_t head = in.varint();
    const std::uint64_t count = head >> 1;
    if (!in.ok() || count > echo::kMaxColumns) return false;
    if (head & 1) {
      std::uint64_t next = 0;
      for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t gap = in.varint();
        if (!in.ok() || gap >= echo::kMaxColumns - next) return false;
        changed_.push_back(static_cast<Column>(next + gap));
        next += gap + 1;
      }
      return true;
    }
    BitReader bits(in.take((count + 7) / 8));
    if (!in.ok()) return false;
    for (Column column = 0; column < count; ++column) {
      if (bits.get(1) != 0) changed_.push_back(column);
    }
    return true;
  }

  bool takeRow(Reading& stream, ByteReader& in) {
    const std::uint64_t number = in.varint();
    const std::int64_t time = in.zigzag();
    if (!readChanged(in) || in.left() != changed_.size() * 8) return false;
    if (number == 0) {
      // The first row of a segment builds on nothing: what it does not name is missing.
      stream.values.assign(stream.values.size(), kMissing);
      stream.known.assign(stream.known.size(), true);
    } else if (number != stream.next_row) {
      stream.known.assign(stream.known.size(), false);
    }
    stream.next_row = number + 1;
    if (!changed_.empty() && changed_.back() >= stream.values.size()) {
      stream.values.resize(changed_.back() + std::size_t{1}, kMissing);
      stream.known.resize(stream.values.size(), false);
    }
    for (const Column column : changed_) {
      stream.values[column] = std::bit_cast<double>(in.u64());
      stream.known[column] = true;
    }
    row_.time = Timestamp(Millis(time));
    row_.columns.clear();
    row_.values.clear();
    for (Column column = 0; column < stream.values.size(); ++column) {
      if (!stream.known[column] || std::isnan(stream.values[column])) continue;
      row_.columns.push_back(column);
      row_.values.push_back(stream.values[column]);
    }
    ++rows_;
    listener_.row(stream.id, row_);
    return true;
  }

  const SegmentListener& listener_;
  std::unordered_map<std::uint64_t, Reading> streams_;
  std::vector<Column> changed_;
  Row row_;
  std::uint64_t rows_ = 0;
};

}  // namespace

SegmentReading readSegment(std::string_view bytes, const SegmentListener& listener) {
  SegmentReading reading;
  const auto header = parseSegmentHeader(bytes);
  if (!header) {
    reading.torn = !bytes.empty();
    return reading;
  }
  reading.header_ok = true;
  reading.good_bytes = kSegmentHeaderBytes;
  SegmentDecoder decoder(listener);
  std::size_t budget = bytes.size() * kSearchFactor;
  std::size_t at = kSegmentHeaderBytes;
  while (at < bytes.size()) {
    const std::size_t end = recordEnd(bytes, at, header->marker);
    if (end == 0) {
      const std::size_t next = nextRecord(bytes, at, header->marker, budget);
      if (next == std::string_view::npos) {
        reading.torn = true;
        break;
      }
      ++reading.damaged;
      at = next;
      continue;
    }
    const auto type = static_cast<std::uint8_t>(bytes[at + kRecordHeaderBytes]);
    const auto payload =
        bytes.substr(at + kRecordHeaderBytes + 1, end - at - kRecordHeaderBytes - 1);
    if (!decoder.take(type, payload)) ++reading.damaged;
    reading.good_bytes = at = end;
  }
  reading.rows = decoder.rows();
  return reading;
}

}  // namespace virtseer::store

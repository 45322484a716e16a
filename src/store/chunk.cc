#include "store/chunk.h"

#include <algorithm>

#include "store/bytes.h"
#include "store/codec_column.h"
#include "store/codec_integers.h"
#include "store/crc32c.h"

namespace virtseer::store {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kColumnsPerGroup = 8;
constexpr std::uint8_t kPlain = 0;
constexpr std::size_t kCrcAt = 4, kLengthAt = 8, kFixedBytes = 20;

/// Of everything in the head but the checksum itself.
std::uint32_t headCrc(std::string_view head) {
  return crc32c(head.substr(kLengthAt), crc32c(head.substr(0, kCrcAt)));
}

std::unexpected<Error> damaged(const char* what) {
  return fail(Code::corrupt, std::string("chunk: ") + what);
}

}  // namespace

std::string encodeChunk(const ChunkRows& rows) {
  const std::size_t count = rows.times.size();
  std::string table, body, groups;
  std::uint64_t columns = 0;
  Column next = 0;
  std::size_t group_start = 0;
  const auto closeGroup = [&] {
    putU32(groups, crc32c(std::string_view(body).substr(group_start)));
    putU8(groups, kPlain);
    group_start = body.size();
  };
  for (std::size_t c = 0; c < rows.columns.size(); ++c) {
    const std::size_t start = body.size();
    const auto codec = encodeColumn(std::span(rows.values).subspan(c * count, count), body);
    if (!codec) continue;
    putVarint(table, rows.columns[c] - next);
    putU8(table, *codec);
    putVarint(table, body.size() - start);
    next = rows.columns[c] + 1;
    if (++columns % kColumnsPerGroup == 0) closeGroup();
  }
  if (columns % kColumnsPerGroup != 0) closeGroup();

  std::vector<std::int64_t> offsets(count);
  for (std::size_t r = 0; r < count; ++r) offsets[r] = rows.times[r] - rows.times[0];
  std::string times;
  packIntegers(offsets, times);

  std::string out;
  out.reserve(kFixedBytes + 16 + times.size() + table.size() + groups.size() + body.size());
  putU8(out, kVersion);
  putU8(out, kColumnsPerGroup);
  putU16(out, static_cast<std::uint16_t>(count));
  putU32(out, 0);
  putU32(out, 0);
  putU64(out, static_cast<std::uint64_t>(rows.times[0]));
  putText(out, times);
  putVarint(out, columns);
  out += table;
  out += groups;
  setU32(out, kLengthAt, static_cast<std::uint32_t>(out.size()));
  setU32(out, kCrcAt, headCrc(out));
  return out += body;
}

Result<ChunkReader> ChunkReader::open(std::string_view bytes) {
  if (bytes.empty()) return damaged("empty");
  if (static_cast<std::uint8_t>(bytes[0]) != kVersion) {
    return fail(Code::unsupported, "chunk: version " +
                                       std::to_string(static_cast<std::uint8_t>(bytes[0])) +
                                       " is not known here");
  }
  if (bytes.size() < kFixedBytes) return damaged("too short");
  ByteReader fixed(bytes.substr(kCrcAt, 8));
  const std::uint32_t crc = fixed.u32(), head_bytes = fixed.u32();
  if (head_bytes < kFixedBytes || head_bytes > bytes.size()) return damaged("wrong length of head");
  if (headCrc(bytes.substr(0, head_bytes)) != crc) return damaged("wrong checksum of head");
  ChunkReader reader;
  reader.bytes_ = bytes;
  if (!reader.readHead()) return damaged("malformed head");
  return reader;
}

bool ChunkReader::readHead() {
  ByteReader in(bytes_);
  in.u8();
  const std::size_t per_group = in.u8();
  const std::size_t rows = in.u16();
  in.u32();
  const std::size_t head_bytes = in.u32();
  const std::uint64_t first = in.u64();
  if (rows == 0 || rows > kMaxChunkRows || per_group == 0) return false;

  ByteReader packed(in.text());
  times_.resize(rows);
  if (!unpackIntegers(packed, times_) || !packed.atEnd() || times_[0] != 0) return false;
  for (auto& time : times_)
    time = static_cast<std::int64_t>(first + static_cast<std::uint64_t>(time));
  for (std::size_t r = 1; r < rows; ++r) {
    if (times_[r] <= times_[r - 1]) return false;
  }

  const std::uint64_t columns = in.varint();
  if (!in.ok() || columns > echo::kMaxColumns || columns > in.left()) return false;
  places_.reserve(columns);
  groups_.resize((columns + per_group - 1) / per_group);
  std::size_t offset = head_bytes;
  std::uint64_t next = 0;
  for (std::size_t c = 0; c < columns; ++c) {
    const std::uint64_t column = next + in.varint();
    const std::uint8_t codec = in.u8();
    const std::uint64_t length = in.varint();
    if (!in.ok() || column < next || column >= echo::kMaxColumns) return false;
    if (length > bytes_.size() - offset) return false;
    const std::size_t group = c / per_group;
    if (c % per_group == 0) groups_[group].offset = offset;
    places_.push_back({static_cast<Column>(column), codec, static_cast<std::uint32_t>(group),
                       offset, static_cast<std::size_t>(length)});
    offset += length;
    groups_[group].length = offset - groups_[group].offset;
    next = column + 1;
  }
  for (auto& group : groups_) {
    group.crc = in.u32();
    if (in.u8() != kPlain) return false;
  }
  return in.ok() && in.position() == head_bytes && offset == bytes_.size();
}

std::vector<Column> ChunkReader::columns() const {
  std::vector<Column> all;
  all.reserve(places_.size());
  for (const auto& place : places_) all.push_back(place.column);
  return all;
}

const ChunkReader::Place* ChunkReader::find(Column column) const {
  const auto place = std::ranges::lower_bound(places_, column, {}, &Place::column);
  return place == places_.end() || place->column != column ? nullptr : &*place;
}

bool ChunkReader::has(Column column) const {
  return find(column) != nullptr;
}

Result<void> ChunkReader::decode(Column column, std::vector<double>& values) {
  const Place* place = find(column);
  if (place == nullptr) {
    values.assign(rows(), kMissing);
    return {};
  }
  values.resize(rows());
  Group& group = groups_[place->group];
  if (!group.checked) {
    if (crc32c(bytes_.substr(group.offset, group.length)) != group.crc) {
      return damaged("wrong checksum of a group of columns");
    }
    group.checked = true;
  }
  if (!decodeColumn(place->codec, bytes_.substr(place->offset, place->length), values)) {
    return damaged("malformed column");
  }
  return {};
}

}  // namespace virtseer::store

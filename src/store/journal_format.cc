#include "store/journal_format.h"

#include <bit>
#include <cmath>

#include "store/bits.h"
#include "store/bytes.h"
#include "store/crc32c.h"
#include "store/journal_records.h"
#include "store/keys.h"

namespace virtseer::store {
namespace {

constexpr std::string_view kMagic = "VSJOURNL";
constexpr std::uint32_t kVersion = 1;

bool same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

}  // namespace

std::string encodeSegmentHeader(const SegmentHeader& header) {
  std::string out(kMagic);
  putU32(out, kVersion);
  putU32(out, header.marker);
  putU64(out, header.number);
  putU64(out, static_cast<std::uint64_t>(header.created));
  putU32(out, crc32c(out));
  return out;
}

std::optional<SegmentHeader> parseSegmentHeader(std::string_view bytes) {
  ByteReader in(bytes);
  SegmentHeader header;
  const bool named = in.take(kMagic.size()) == kMagic;
  const std::uint32_t version = in.u32();
  header.marker = in.u32();
  header.number = in.u64();
  header.created = static_cast<std::int64_t>(in.u64());
  const std::uint32_t crc = in.u32();
  if (!in.ok() || !named || version != kVersion) return std::nullopt;
  if (crc != crc32c(bytes.substr(0, kSegmentHeaderBytes - sizeof crc))) return std::nullopt;
  return header;
}

void SegmentEncoder::record(std::uint8_t type, std::string_view payload, std::string& out) const {
  const std::size_t start = out.size();
  putU32(out, marker_);
  putU32(out, static_cast<std::uint32_t>(payload.size() + 1));
  putU32(out, 0);
  putU8(out, type);
  out += payload;
  setU32(out, start + 8, recordCrc(std::string_view(out).substr(start)));
}

SegmentEncoder::State& SegmentEncoder::stateOf(const StreamId& id, std::string& out) {
  const auto [entry, fresh] = streams_.try_emplace(id);
  State& state = entry->second;
  if (fresh) {
    state.number = streams_.size() - 1;
    std::string payload;
    putVarint(payload, state.number);
    payload += streamKey(id);
    record(kStreamRecord, payload, out);
  }
  return state;
}

void SegmentEncoder::names(const StreamId& id, Column first, std::span<const SeriesName> names,
                           std::string& out) {
  const std::uint64_t number = stateOf(id, out).number;
  // At most 64 names of at most some kilobytes each: far below kMaxRecordBytes.
  constexpr std::size_t kPerRecord = 64;
  for (std::size_t at = 0; at < names.size(); at += kPerRecord) {
    const auto part = names.subspan(at, std::min(kPerRecord, names.size() - at));
    payload_.clear();
    putVarint(payload_, number);
    putVarint(payload_, first + at);
    putVarint(payload_, part.size());
    for (const auto& name : part) putName(payload_, name);
    record(kNamesRecord, payload_, out);
  }
}

void SegmentEncoder::row(const StreamId& id, std::int64_t time, std::span<const double> values,
                         std::string& out) {
  State& state = stateOf(id, out);
  if (state.values.size() < values.size()) state.values.resize(values.size(), kMissing);
  const std::size_t width = state.values.size();
  changed_.clear();
  for (Column column = 0; column < width; ++column) {
    const double value = column < values.size() ? values[column] : kMissing;
    double& before = state.values[column];
    if (same(value, before) || (std::isnan(value) && std::isnan(before))) continue;
    before = std::isnan(value) ? kMissing : value;
    changed_.push_back(column);
  }
  payload_.clear();
  putVarint(payload_, state.number);
  putVarint(payload_, state.rows++);
  putZigzag(payload_, time);
  // Of the two ways to say which columns follow, the shorter: gaps take a byte each nearly always.
  const std::size_t bitmap_bytes = (width + 7) / 8;
  if (changed_.size() < bitmap_bytes) {
    putVarint(payload_, changed_.size() << 1 | 1);
    Column next = 0;
    for (const Column column : changed_) {
      putVarint(payload_, column - next);
      next = column + 1;
    }
  } else {
    putVarint(payload_, width << 1);
    const std::size_t start = payload_.size();
    payload_.resize(start + bitmap_bytes);
    for (const Column column : changed_) {
      payload_[start + column / 8] =
          static_cast<char>(payload_[start + column / 8] | 1 << column % 8);
    }
  }
  for (const Column column : changed_) {
    putU64(payload_, std::bit_cast<std::uint64_t>(state.values[column]));
  }
  record(kRowRecord, payload_, out);
}

}  // namespace virtseer::store

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/event.h"
#include "model/series.h"
#include "store/bytes.h"

namespace virtseer::store {

/// Keys and small values of the database: FORMAT.md, "Keys" and "Values". Keys are big-endian, so
/// that their order is the order of what they mean.

inline constexpr std::size_t kStreamKeyBytes = 17;
inline constexpr std::size_t kMaxSeriesLabels = 64;  ///< of one name
inline constexpr std::size_t kMaxEventFields = 64;   ///< of one event

/// The stream's entry in the series index, and the front of all its other keys.
std::string streamKey(const StreamId& id);
/// One column's entry in the series index.
std::string columnKey(const StreamId& id, Column column);
/// A chunk that begins at `time` (ms since the epoch).
std::string chunkKey(const StreamId& id, std::int64_t time);
std::string eventKey(std::uint64_t id);

std::optional<StreamId> parseStream(std::string_view key);  ///< from the key's first 17 bytes
std::optional<Column> parseColumnKey(std::string_view key);
std::optional<std::int64_t> parseChunkKey(std::string_view key);
std::optional<std::uint64_t> parseEventKey(std::string_view key);

/// A series' name as it stands in the index and in the journal.
void putName(std::string& out, const SeriesName& name);
/// Makes the reader fail if the bytes are no name.
SeriesName getName(ByteReader& in);

std::string nameValue(const SeriesName& name);
std::optional<SeriesName> parseNameValue(std::string_view value);

/// The event without its id, which is the key.
std::string eventValue(const Event& event);
std::optional<Event> parseEventValue(std::uint64_t id, std::string_view value);

}  // namespace virtseer::store

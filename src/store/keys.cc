#include "store/keys.h"

namespace virtseer::store {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kHasEntity = 1;

template <class T>
void putBig(std::string& out, T value) {
  for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

template <class T>
std::optional<T> getBig(std::string_view bytes) {
  if (bytes.size() != sizeof(T)) return std::nullopt;
  T value = 0;
  for (const char c : bytes) value = static_cast<T>(value << 8 | static_cast<unsigned char>(c));
  return value;
}

/// So that times before 1970 sort in front.
std::uint64_t sortable(std::int64_t time) {
  return static_cast<std::uint64_t>(time) ^ 1ULL << 63;
}

std::optional<std::string_view> afterStream(std::string_view key) {
  if (key.size() < kStreamKeyBytes) return std::nullopt;
  return key.substr(kStreamKeyBytes);
}

void putUuid(std::string& out, const Uuid& uuid) {
  out.append(reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size());
}

Uuid getUuid(ByteReader& in) {
  Uuid uuid;
  const auto bytes = in.take(uuid.bytes.size());
  if (in.ok()) std::memcpy(uuid.bytes.data(), bytes.data(), bytes.size());
  return uuid;
}

template <class Map>
void putMap(std::string& out, const Map& map) {
  putVarint(out, map.size());
  for (const auto& [key, value] : map) {
    putText(out, key);
    putText(out, value);
  }
}

std::map<std::string, std::string> getMap(ByteReader& in, std::uint64_t most) {
  std::map<std::string, std::string> map;
  const std::uint64_t count = in.varint();
  if (count > most) in.fail();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string key(in.text());
    map.insert_or_assign(std::move(key), std::string(in.text()));
  }
  return map;
}

}  // namespace

std::string streamKey(const StreamId& id) {
  std::string key;
  key.reserve(kStreamKeyBytes + 8);
  putUuid(key, id.entity);
  key.push_back(static_cast<char>(id.source));
  return key;
}

std::string columnKey(const StreamId& id, Column column) {
  std::string key = streamKey(id);
  putBig(key, column);
  return key;
}

std::string chunkKey(const StreamId& id, std::int64_t time) {
  std::string key = streamKey(id);
  putBig(key, sortable(time));
  return key;
}

std::string eventKey(std::uint64_t id) {
  std::string key;
  putBig(key, id);
  return key;
}

std::optional<StreamId> parseStream(std::string_view key) {
  if (key.size() < kStreamKeyBytes) return std::nullopt;
  StreamId id;
  std::memcpy(id.entity.bytes.data(), key.data(), id.entity.bytes.size());
  id.source = static_cast<Source>(key[kStreamKeyBytes - 1]);
  if (name(id.source) == "unknown") return std::nullopt;
  return id;
}

std::optional<Column> parseColumnKey(std::string_view key) {
  const auto rest = afterStream(key);
  return rest ? getBig<Column>(*rest) : std::nullopt;
}

std::optional<std::int64_t> parseChunkKey(std::string_view key) {
  const auto rest = afterStream(key);
  const auto time = rest ? getBig<std::uint64_t>(*rest) : std::nullopt;
  if (!time) return std::nullopt;
  return static_cast<std::int64_t>(*time ^ 1ULL << 63);
}

std::optional<std::uint64_t> parseEventKey(std::string_view key) {
  return getBig<std::uint64_t>(key);
}

void putName(std::string& out, const SeriesName& series) {
  putU8(out, static_cast<std::uint8_t>(series.kind));
  putText(out, series.metric);
  putMap(out, series.labels);
}

SeriesName getName(ByteReader& in) {
  SeriesName series;
  const std::uint8_t kind = in.u8();
  if (kind > static_cast<std::uint8_t>(Kind::counter)) in.fail();
  series.kind = static_cast<Kind>(kind & 1);
  series.metric = in.text();
  series.labels = getMap(in, kMaxSeriesLabels);
  return series;
}

std::string nameValue(const SeriesName& series) {
  std::string value;
  putU8(value, kVersion);
  putName(value, series);
  return value;
}

std::optional<SeriesName> parseNameValue(std::string_view value) {
  ByteReader in(value);
  if (in.u8() != kVersion) return std::nullopt;
  SeriesName series = getName(in);
  if (!in.atEnd()) return std::nullopt;
  return series;
}

std::string eventValue(const Event& event) {
  std::string value;
  putU8(value, kVersion);
  putU8(value, static_cast<std::uint8_t>(event.severity));
  putU8(value, event.entity ? kHasEntity : 0);
  putU64(value, static_cast<std::uint64_t>(event.time.time_since_epoch().count()));
  if (event.entity) putUuid(value, *event.entity);
  putText(value, event.kind);
  putText(value, event.message);
  putMap(value, event.fields);
  return value;
}

std::optional<Event> parseEventValue(std::uint64_t id, std::string_view value) {
  ByteReader in(value);
  Event event;
  event.id = id;
  if (in.u8() != kVersion) return std::nullopt;
  const std::uint8_t severity = in.u8();
  const std::uint8_t flags = in.u8();
  event.time = Timestamp(Millis(static_cast<std::int64_t>(in.u64())));
  if (severity > static_cast<std::uint8_t>(Severity::error) || flags > kHasEntity)
    return std::nullopt;
  event.severity = static_cast<Severity>(severity);
  if (flags & kHasEntity) event.entity = getUuid(in);
  event.kind = in.text();
  event.message = in.text();
  event.fields = getMap(in, kMaxEventFields);
  if (!in.atEnd()) return std::nullopt;
  return event;
}

}  // namespace virtseer::store

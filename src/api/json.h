#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "api/backend.h"
#include "api/http.h"

namespace virtseer::api {

/// Keys keep the order in which they are written, so that bodies are stable.
using Json = nlohmann::ordered_json;

/// The translation of what the daemon knows into the shapes of openapi.yaml: unknown is null, times
/// are RFC 3339 in UTC with milliseconds, numbers that are not finite are null. Pure.
Json hostJson(const HostView& view);
Json vmJson(const VmView& view);
Json healthJson(const Health& health);
/// `entity_name`: empty if it is not known.
Json eventJson(const Event& event, const std::string& entity_name);
Json seriesNameJson(const SeriesView& view);
Json latestJson(const LatestView& view);
Json problemJson(const Problem& problem, std::string_view request_id);

/// One line of JSON; bytes that are not UTF-8 become U+FFFD.
std::string text(const Json& json);

/// {"items":[...],"next":...} written piece by piece, so that a long list never holds the loop.
class ListBody {
 public:
  ListBody() : out_("{\"items\":[") {}

  void add(const Json& item);

  /// Text of an item written by the caller, comma included by this call.
  std::string& open();

  /// True when so much was written since the last call that answered true that others should run
  /// first.
  bool due();

  /// Ends the list; `next` is the cursor of the following page.
  std::string finish(const std::optional<std::string>& next);

  /// Ends a list that has further members before `next`: `,"name":value` text.
  std::string finish(std::string_view members, const std::optional<std::string>& next);

 private:
  std::string out_;
  bool first_ = true;
  std::size_t paused_at_ = 0;
};

/// Appends {"entity":...,"points":[ without its end; then appendPoint() for each, then
/// closeSeries().
void openSeries(std::string& out, const Series& series);
void appendPoint(std::string& out, const Point& point, bool first);
void closeSeries(std::string& out);

/// Appends the shortest text that reads back as `value`; null if it is not finite.
void appendNumber(std::string& out, double value);

}  // namespace virtseer::api

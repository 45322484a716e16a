#include "daemon/series_reader.h"

#include <algorithm>

namespace virtseer::daemon {
namespace {

constexpr std::size_t kColumnsAtOnce = 16;

bool matches(const SeriesName& name, const api::SeriesQuery& query) {
  if (name.metric != query.metric) return false;
  return std::all_of(query.labels.begin(), query.labels.end(), [&](const auto& wanted) {
    const auto found = name.labels.find(wanted.first);
    return found != name.labels.end() && found->second == wanted.second;
  });
}

bool needsBase(Aggregation aggregation) {
  return aggregation == Aggregation::rate || aggregation == Aggregation::increase;
}

/// Adds one series to the answer, as far as the limit allows.
void add(api::SeriesAnswer& answer, Series series, std::size_t& room) {
  if (series.points.size() > room) {
    answer.truncated = true;
    series.points.resize(room);
  }
  room -= series.points.size();
  answer.series.push_back(std::move(series));
}

}  // namespace

std::vector<StreamQuery> prepare(const store::SeriesStore& series,
                                 std::span<const StreamId> streams, const api::SeriesQuery& query) {
  const Timestamp from = needsBase(query.aggregation) ? query.from - kRateLookback : query.from;
  std::vector<StreamQuery> out;
  for (const auto& stream : streams) {
    if (query.source && stream.source != *query.source) continue;
    StreamQuery part{.stream = stream, .columns = {}, .names = {}, .view = nullptr};
    const auto names = series.names(stream);
    for (Column column = 0; column < names.size(); ++column) {
      if (!matches(names[column], query)) continue;
      part.columns.push_back(column);
      part.names.push_back(names[column]);
    }
    if (part.columns.empty()) continue;
    part.view = series.view(stream, from, query.to);
    out.push_back(std::move(part));
  }
  return out;
}

Result<api::SeriesAnswer> answer(const std::vector<StreamQuery>& streams,
                                 const api::SeriesQuery& query) {
  api::SeriesAnswer out;
  std::size_t room = query.limit;
  for (const auto& part : streams) {
    for (std::size_t first = 0; first < part.columns.size(); first += kColumnsAtOnce) {
      const auto count = std::min(kColumnsAtOnce, part.columns.size() - first);
      const auto read = part.view->read(std::span(part.columns).subspan(first, count));
      if (!read) return fail(read.error());
      out.damaged_chunks = std::max(out.damaged_chunks, read->damaged);
      for (std::size_t i = 0; i < count; ++i) {
        add(out,
            {part.stream, part.names[first + i],
             aggregate(read->columns[i], query.from, query.to, query.step, query.aggregation)},
            room);
        if (room == 0 && out.truncated) return out;
      }
    }
  }
  return out;
}

}  // namespace virtseer::daemon

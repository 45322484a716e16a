#include "daemon/series_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace virtseer::daemon {
namespace {

constexpr std::size_t kColumnsAtOnce = 16;
constexpr Millis kSlice{6 * 3'600'000};
constexpr std::int64_t kMaxSlices = 256;

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

/// Folds one series as its slices come: what belongs to a complete step is folded and forgotten.
class Folding {
 public:
  Folding(const api::SeriesQuery& query, Series series)
      : query_(query), series_(std::move(series)) {}

  Result<void> add(const std::vector<Point>& points, std::size_t limit) {
    held_.insert(held_.end(), points.begin(), points.end());
    if (held_.empty()) return {};
    // The last step may go on in the next slice; raw points never do.
    const Timestamp complete = query_.aggregation == Aggregation::none
                                   ? held_.back().time + Millis(1)
                                   : startOfStep(held_.back().time);
    foldUntil(std::min(complete, query_.to), limit);
    if (held_.size() > kMaxPointsPerStep)
      return fail(Code::invalid,
                  fmt::format("a step of {} holds more than {} points: ask for a smaller "
                              "step or a shorter window",
                              series_.name.metric, kMaxPointsPerStep));
    return {};
  }

  Series finish(std::size_t limit) {
    foldUntil(query_.to, limit);
    return std::move(series_);
  }

  bool full(std::size_t limit) const { return series_.points.size() > limit; }

 private:
  Timestamp startOfStep(Timestamp time) const {
    if (time < query_.from || query_.step <= Millis(0)) return query_.from;
    return query_.from + (time - query_.from) / query_.step * query_.step;
  }

  /// Keeps one point more than `limit`, so that it shows that there were more.
  void foldUntil(Timestamp end, std::size_t limit) {
    if (end <= folded_ || end <= query_.from) return;
    const Timestamp begin = std::max(folded_, query_.from);
    const Millis step = query_.step > Millis(0) ? query_.step : query_.to - query_.from;
    for (const auto& point : aggregate(held_, begin, end, step, query_.aggregation)) {
      if (series_.points.size() > limit) break;
      series_.points.push_back(point);
    }
    folded_ = end;
    // The last point before `end` is the base of the next step's rise.
    auto keep =
        std::lower_bound(held_.begin(), held_.end(), end,
                         [](const Point& point, Timestamp time) { return point.time < time; });
    if (keep != held_.begin() && needsBase(query_.aggregation)) --keep;
    held_.erase(held_.begin(), keep);
  }

  const api::SeriesQuery& query_;
  Series series_;
  std::vector<Point> held_;
  Timestamp folded_ = Timestamp::min();
};

/// Answers for a few columns of one stream; takes what it gives from `room`.
Result<void> answerColumns(const StreamQuery& part, std::size_t first, std::size_t count,
                           const api::SeriesQuery& query, std::size_t& room,
                           api::SeriesAnswer& out) {
  std::vector<Folding> foldings;
  for (std::size_t i = 0; i < count; ++i)
    foldings.emplace_back(query, Series{part.stream, part.names[first + i], {}});
  const auto columns = std::span(part.columns).subspan(first, count);
  for (const auto& slice : part.slices) {
    const auto read = slice->read(columns);
    if (!read) return fail(read.error());
    out.damaged_chunks += read->damaged;
    for (std::size_t i = 0; i < count; ++i)
      if (const auto added = foldings[i].add(read->columns[i], room); !added) return added;
    if (std::all_of(foldings.begin(), foldings.end(),
                    [&](const auto& each) { return each.full(room); }))
      break;
  }
  for (auto& folding : foldings) {
    Series series = folding.finish(room);
    if (series.points.size() > room) {
      out.truncated = true;
      series.points.resize(room);
    }
    room -= series.points.size();
    out.series.push_back(std::move(series));
    if (room == 0 && out.truncated) break;
  }
  return {};
}

}  // namespace

std::vector<StreamQuery> prepare(const store::SeriesStore& series,
                                 std::span<const StreamId> streams, const api::SeriesQuery& query) {
  const Timestamp from = needsBase(query.aggregation) ? query.from - kRateLookback : query.from;
  const Millis length = std::max(kSlice, (query.to - from) / kMaxSlices + Millis(1));
  std::vector<StreamQuery> out;
  for (const auto& stream : streams) {
    if (query.source && stream.source != *query.source) continue;
    StreamQuery part{.stream = stream, .columns = {}, .names = {}, .slices = {}};
    const auto names = series.names(stream);
    for (Column column = 0; column < names.size(); ++column) {
      if (!matches(names[column], query)) continue;
      part.columns.push_back(column);
      part.names.push_back(names[column]);
    }
    if (part.columns.empty()) continue;
    for (Timestamp begin = from; begin < query.to; begin += length)
      part.slices.push_back(series.view(stream, begin, std::min(begin + length, query.to)));
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
      if (const auto done = answerColumns(part, first, count, query, room, out); !done)
        return fail(done.error());
      if (room == 0 && out.truncated) return out;
    }
  }
  return out;
}

}  // namespace virtseer::daemon

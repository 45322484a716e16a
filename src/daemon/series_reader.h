#pragma once

#include <memory>
#include <span>
#include <vector>

#include "api/backend.h"
#include "store/series_store.h"

namespace virtseer::daemon {

/// One stream's part of a series query, frozen in slices of time, oldest first: it may be answered
/// on any thread, and only one slice of a few columns is in memory at a time.
struct StreamQuery {
  StreamId stream;
  std::vector<Column> columns;
  std::vector<SeriesName> names;  ///< of the columns
  std::vector<std::shared_ptr<const store::StreamView>> slices;
};

/// How far before the window the base of a rate is looked for.
inline constexpr Millis kRateLookback{10 * 60'000};

/// Points of one series that one step of an aggregation may hold; more are refused with
/// Code::invalid.
inline constexpr std::size_t kMaxPointsPerStep = 2'000'000;

/// Chooses the streams and columns that `query` asks for.
std::vector<StreamQuery> prepare(const store::SeriesStore& series,
                                 std::span<const StreamId> streams, const api::SeriesQuery& query);

/// Reads and folds; blocks. Memory is bounded: a slice of a few columns, the points of the steps
/// that are not complete yet, and at most `query.limit` points of the answer.
Result<api::SeriesAnswer> answer(const std::vector<StreamQuery>& streams,
                                 const api::SeriesQuery& query);

}  // namespace virtseer::daemon

#pragma once

#include <memory>
#include <span>
#include <vector>

#include "api/backend.h"
#include "store/series_store.h"

namespace virtseer::daemon {

/// One stream's part of a series query, frozen: it may be answered on any thread.
struct StreamQuery {
  StreamId stream;
  std::vector<Column> columns;
  std::vector<SeriesName> names;  ///< of the columns
  std::shared_ptr<const store::StreamView> view;
};

/// How far before the window the base of a rate is looked for.
inline constexpr Millis kRateLookback{10 * 60'000};

/// Chooses the streams and columns that `query` asks for.
std::vector<StreamQuery> prepare(const store::SeriesStore& series,
                                 std::span<const StreamId> streams, const api::SeriesQuery& query);

/// Reads and folds; blocks. Memory is bounded: a few columns at a time, and at most `query.limit`
/// points of the answer.
Result<api::SeriesAnswer> answer(const std::vector<StreamQuery>& streams,
                                 const api::SeriesQuery& query);

}  // namespace virtseer::daemon

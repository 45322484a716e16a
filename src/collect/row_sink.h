#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/event.h"
#include "model/series.h"
#include "store/series_store.h"

namespace virtseer::collect {

/// Where rows go. Given by the daemon, so that it can put another store behind it at any time;
/// whoever writes through a StreamWriter is then told to declare its columns again. Loop thread
/// only.
struct RowSink {
  /// As store::SeriesStore::declare().
  std::function<Result<std::vector<Column>>(StreamId, std::span<const SeriesName>)> declare;
  /// As store::SeriesStore::append().
  std::function<store::Appended(StreamId, const Row&)> append;
  /// As store::SeriesStore::lastTime(). Empty: not known.
  std::function<std::optional<Timestamp>(StreamId)> last = {};
};

/// A sink into whatever store::SeriesStore& `current()` returns at the time of each call.
template <class Current>
RowSink sinkInto(Current current) {
  return {[current](StreamId stream, std::span<const SeriesName> names) {
            return current().declare(stream, names);
          },
          [current](StreamId stream, const Row& row) { return current().append(stream, row); },
          [current](StreamId stream) { return current().lastTime(stream); }};
}

/// Where events go: `id` is left 0, `time` is set. Loop thread only.
using EventSink = std::function<void(Event)>;

}  // namespace virtseer::collect

#include "daemon/demand_history.h"

#include <algorithm>

namespace virtseer::daemon {
namespace {

constexpr Millis kSlice{6 * 3'600'000};

}  // namespace

std::optional<HistoryQuery> prepareHistory(const store::SeriesStore& series, const Uuid& vm,
                                           Timestamp from, Timestamp to) {
  const StreamId stream{vm, Source::libvirt};
  CpuColumns columns;
  columns.look(series.names(stream));
  HistoryQuery out{vm, columns.all(), {}};
  const auto last = series.lastTime(stream);
  if (out.columns.empty() || !last || *last < from) return std::nullopt;
  for (auto begin = from; begin < to; begin += kSlice)
    out.slices.push_back(series.view(stream, begin, std::min(begin + kSlice, to)));
  return out;
}

Result<VmHistory> readHistory(const HistoryQuery& query) {
  VmHistory out{query.vm, {}, {}};
  for (const auto& slice : query.slices) {
    const auto read = slice->read(query.columns);
    if (!read) return fail(read.error().in("history of " + query.vm.text()));
    for (const auto& reading : joinCpu(read->columns))
      if (const auto demand = out.cpu.take(reading)) out.demand.push_back(*demand);
  }
  return out;
}

}  // namespace virtseer::daemon

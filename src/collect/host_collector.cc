#include "collect/host_collector.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "collect/schedule.h"

namespace virtseer::collect {

namespace asio = boost::asio;

HostCollector::HostCollector(asio::any_io_executor loop, const Clock& clock, BlockingPool& pool,
                             HostProbeOptions options, Millis interval, Uuid host, RowSink rows,
                             std::function<void(const HostSample&)> looked, EventSink report)
    : clock_(clock),
      pool_(pool),
      probe_(std::make_shared<const HostProbe>(std::move(options))),
      interval_(interval),
      stream_{host, Source::host},
      rows_(std::move(rows)),
      looked_(std::move(looked)),
      report_(std::move(report)),
      writer_(rows_, stream_),
      beat_(loop) {}

void HostCollector::add(std::span<const NamedValue> values) {
  constexpr std::size_t kMost = 64;
  for (const auto& value : values) {
    const auto same = std::ranges::find(added_, value.name, &NamedValue::name);
    if (same != added_.end())
      same->value = value.value;
    else if (added_.size() < kMost)
      added_.push_back(value);
  }
}

asio::awaitable<void> HostCollector::run() {
  const auto start = clock_.mono();
  for (;;) {
    // Named, since the job must own the probe: it may outlive this coroutine once abandoned.
    auto look = [probe = probe_]() -> Result<HostSample> { return probe->sample(); };
    auto sample = co_await pool_.run("look at the host", interval_, std::move(look));
    if (sample) {
      store(*sample);
      if (looked_) looked_(*sample);
    } else {
      ++counts_.missed_beats;
    }
    const auto now = clock_.mono();
    beat_.expires_after(nextTick(start, interval_, now) - now);
    boost::system::error_code ignored;
    co_await beat_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

void HostCollector::store(HostSample& sample) {
  const auto now = clock_.wall();
  const auto last = rows_.last ? rows_.last(stream_) : std::nullopt;
  const auto time = rowTime(now, last, now);
  if (!time) {
    ++counts_.late_rows;
    auto event = step_back_.refused("the host's figures", stream_.entity, *last, now);
    if (event && report_) report_(std::move(*event));
    return;
  }
  sample.values.insert(sample.values.end(), added_.begin(), added_.end());
  added_.clear();
  const auto fate = writer_.append(*time, sample.values);
  counts_.refused_values = writer_.refused();
  if (!fate) log(Level::warning, "the host's figures have no place: " + fate.error().message);
  if (fate && *fate == store::Appended::late)
    ++counts_.late_rows;
  else if (!fate || *fate != store::Appended::taken)
    ++counts_.overflow_rows;
}

}  // namespace virtseer::collect

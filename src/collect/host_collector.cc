#include "collect/host_collector.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "collect/schedule.h"

namespace virtseer::collect {

namespace asio = boost::asio;

HostCollector::HostCollector(asio::any_io_executor loop, const Clock& clock, BlockingPool& pool,
                             HostProbeOptions options, Millis interval, Uuid host, RowSink rows,
                             std::function<void(const HostSample&)> looked)
    : clock_(clock),
      pool_(pool),
      probe_(std::make_shared<const HostProbe>(std::move(options))),
      interval_(interval),
      rows_(std::move(rows)),
      looked_(std::move(looked)),
      writer_(rows_, {host, Source::host}),
      beat_(loop) {}

asio::awaitable<void> HostCollector::run() {
  const auto start = clock_.mono();
  for (;;) {
    // Named, since the job must own the probe: it may outlive this coroutine once abandoned.
    auto look = [probe = probe_]() -> Result<HostSample> { return probe->sample(); };
    const auto sample = co_await pool_.run("look at the host", interval_, std::move(look));
    if (sample) {
      const auto fate = writer_.append(clock_.wall(), sample->values);
      if (!fate) log(Level::warning, "the host's figures have no place: " + fate.error().message);
      if (looked_) looked_(*sample);
    } else {
      ++missed_;
    }
    const auto now = clock_.mono();
    beat_.expires_after(nextTick(start, interval_, now) - now);
    boost::system::error_code ignored;
    co_await beat_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

}  // namespace virtseer::collect

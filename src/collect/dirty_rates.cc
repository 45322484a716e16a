#include "collect/dirty_rates.h"

#include <algorithm>

namespace virtseer::collect {

namespace asio = boost::asio;

namespace {

constexpr Millis kBetweenLooks{1'000};
constexpr std::chrono::seconds kSpan{1};
constexpr Millis kReady{1'200};  ///< of a measure of kSpan, where the host is not too busy
constexpr Millis kNotReady{500};
constexpr int kLooks = 10;

}  // namespace

DirtyRates::DirtyRates(const Clock& clock, platform::Environment& environment, Millis period,
                       Values values, Pause pause)
    : clock_(clock),
      environment_(environment),
      period_(period),
      values_(std::move(values)),
      pause_(std::move(pause)),
      turns_(period) {}

void DirtyRates::start(TaskGroup& tasks) {
  if (period_ > Millis(0)) tasks.spawn("dirty rates of " + environment_.status().uri, run());
}

void DirtyRates::setVms(const std::vector<Vm>& vms) {
  std::vector<Uuid> wanted;
  for (const auto& vm : vms)
    if (vm.state == VmState::running || vm.state == VmState::blocked) wanted.push_back(vm.uuid);
  turns_.set(wanted, clock_.mono());
  std::erase_if(measures_, [&](const auto& each) {
    return std::ranges::find(wanted, each.first) == wanted.end();
  });
}

std::optional<double> DirtyRates::of(Uuid vm) const {
  const auto found = measures_.find(vm);
  if (found == measures_.end() || clock_.mono() - found->second.when > 3 * period_)
    return std::nullopt;
  return found->second.bytes_per_s;
}

asio::awaitable<void> DirtyRates::run() {
  while (!unsupported_) {
    const auto vm =
        environment_.status().connected ? turns_.take(clock_.mono()) : std::optional<Uuid>();
    if (vm) {
      co_await measure(*vm);
      turns_.done(*vm, clock_.mono(), period_);
    } else {
      co_await pause_(kBetweenLooks);
    }
  }
}

asio::awaitable<void> DirtyRates::measure(Uuid vm) {
  static const auto* const kRate =
      platform::intern({"libvirt_domain_dirty_rate_bytes_per_second", {}, Kind::gauge});
  const auto presence = co_await environment_.actions().presence(vm);
  if (!presence || presence->state != Presence::State::running ||
      presence->job != Presence::Job::none)
    co_return;
  const auto begun = co_await environment_.measureDirtyRate(vm, kSpan);
  if (!begun) {
    unsupported_ = begun.error().code == Code::unsupported;
    co_return;
  }
  co_await pause_(kReady);
  for (int look = 0; look < kLooks; ++look) {
    const auto rate = co_await environment_.dirtyRate(vm);
    if (!rate) co_return;
    if (*rate) {
      measures_[vm] = {**rate, clock_.mono()};
      const NamedValue value{kRate, **rate};
      if (values_) values_(vm, {&value, 1});
      co_return;
    }
    co_await pause_(kNotReady);
  }
}

}  // namespace virtseer::collect

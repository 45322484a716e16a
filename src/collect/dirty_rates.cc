#include "collect/dirty_rates.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"

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
  const auto ended = [&](Uuid vm) { return std::ranges::find(wanted, vm) == wanted.end(); };
  std::erase_if(measures_, [&](const auto& each) { return ended(each.first); });
  std::erase_if(unsupported_, ended);
}

std::optional<double> DirtyRates::of(Uuid vm) const {
  const auto found = measures_.find(vm);
  if (found == measures_.end() || clock_.mono() - found->second.when > 3 * period_)
    return std::nullopt;
  return found->second.bytes_per_s;
}

asio::awaitable<void> DirtyRates::run() {
  for (;;) {
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

/// Where libvirt's own driver has no such call every VM comes here, once for each start of it.
void DirtyRates::leaveAlone(Uuid vm, const Error& why) {
  unsupported_.insert(vm);
  if (told_) return;
  told_ = true;
  log(Level::warning,
      "how fast VM " + vm.text() + " of " + environment_.status().uri +
          " writes its memory is not measured until it starts anew, nor that of others that "
          "cannot: " +
          printable(why.message));
}

asio::awaitable<void> DirtyRates::measure(Uuid vm) {
  static const auto* const kRate =
      platform::intern({"libvirt_domain_dirty_rate_bytes_per_second", {}, Kind::gauge});
  if (unsupported_.contains(vm)) co_return;
  const auto presence = co_await environment_.actions().presence(vm);
  if (!presence || presence->state != Presence::State::running ||
      presence->job != Presence::Job::none)
    co_return;
  const auto begun = co_await environment_.measureDirtyRate(vm, kSpan);
  if (!begun) {
    if (begun.error().code == Code::unsupported) leaveAlone(vm, begun.error());
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

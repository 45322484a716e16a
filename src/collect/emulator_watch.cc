#include "collect/emulator_watch.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "collect/schedule.h"

namespace virtseer::collect {

namespace asio = boost::asio;

namespace {

/// Loading programs on a slow machine, with many types of its kernel to read.
constexpr Millis kDeadline{60'000};
/// VMs whose values are handed over before others may use the loop.
constexpr std::size_t kAtOnce = 32;

bool hasProcess(const Vm& vm) {
  return vm.environment.starts_with("qemu") &&
         (vm.state == VmState::running || vm.state == VmState::blocked ||
          vm.state == VmState::paused);
}

}  // namespace

EmulatorWatch::EmulatorWatch(const Clock& clock, BlockingPool& pool,
                             std::shared_ptr<EmulatorProbe> probe, Millis interval, Sinks sinks,
                             Pause pause)
    : clock_(clock),
      pool_(pool),
      probe_(std::move(probe)),
      interval_(interval),
      sinks_(std::move(sinks)),
      pause_(std::move(pause)) {}

void EmulatorWatch::setVms(const std::string& environment, const std::vector<Vm>& vms) {
  std::set<Uuid> active;
  for (const auto& vm : vms)
    if (hasProcess(vm)) active.insert(vm.uuid);
  vms_[environment] = std::move(active);
  const auto here = wanted();
  std::erase_if(counted_, [&](const Uuid& vm) { return !here.contains(vm); });
  std::erase_if(lacking_, [&](const auto& each) { return !here.contains(each.first); });
}

EmulatorWatch::View EmulatorWatch::view(const Uuid& vm) const {
  const auto in = [&](const auto& each) { return each.second.contains(vm); };
  if (std::ranges::none_of(vms_, in)) return {};
  if (!failure_.empty()) return {.counted = false, .lacking = failure_};
  if (counted_.contains(vm)) return {.counted = true, .lacking = trouble_};
  const auto lacking = lacking_.find(vm);
  return {.counted = false, .lacking = lacking == lacking_.end() ? "" : lacking->second};
}

std::set<Uuid> EmulatorWatch::wanted() const {
  std::set<Uuid> out;
  for (const auto& [environment, vms] : vms_) out.insert(vms.begin(), vms.end());
  return out;
}

asio::awaitable<void> EmulatorWatch::run() {
  const auto start = clock_.mono();
  for (;;) {
    auto vms = wanted();
    std::map<Uuid, std::string> beyond;
    while (vms.size() > kMostVms) {
      beyond[*vms.rbegin()] = "more than 500 VMs: this one is not counted";
      vms.erase(std::prev(vms.end()));
    }
    // Named, since the job must own all it touches: it may outlive this coroutine.
    auto look = [probe = probe_, vms]() -> Result<EmulatorLook> { return probe->look(vms); };
    auto looked = co_await pool_.run("look at emulators", kDeadline, std::move(look));
    if (looked) {
      looked->lacking.merge(beyond);
      co_await take(std::move(*looked));
    } else {
      ++missed_;
      tellOnce(looked.error().message);
    }
    const auto now = clock_.mono();
    const auto left = nextTick(start, interval_, now) - now;
    co_await pause_(std::chrono::ceil<Millis>(left));
  }
}

asio::awaitable<void> EmulatorWatch::take(EmulatorLook look) {
  failure_ = std::move(look.failure);
  trouble_ = std::move(look.trouble);
  lacking_ = std::move(look.lacking);
  tellOnce(failure_.empty() ? trouble_ : failure_);
  const auto here = wanted();
  counted_.clear();
  for (const auto& [vm, values] : look.vms)
    if (here.contains(vm)) counted_.insert(vm);
  if (sinks_.host) sinks_.host(look.host);
  std::size_t told = 0;
  for (const auto& [vm, values] : look.vms) {
    if (sinks_.vm) sinks_.vm(vm, values);
    if (++told % kAtOnce == 0)
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  }
}

/// One sentence of this host, not one of each VM.
void EmulatorWatch::tellOnce(const std::string& trouble) {
  if (trouble.empty() || trouble == told_) return;
  told_ = trouble;
  log(Level::warning, "what the processes of VMs do is not counted, or not all of it: " + trouble);
}

}  // namespace virtseer::collect

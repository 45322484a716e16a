#include "collect/vm_turns.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace virtseer::collect {

boost::asio::awaitable<void> timerPause(Millis span) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, span);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

void VmTurns::set(const std::vector<Uuid>& vms, Time now) {
  const std::set<Uuid> wanted(vms.begin(), vms.end());
  std::erase_if(due_, [&](const auto& each) { return !wanted.contains(each.first); });
  for (const auto& vm : wanted) {
    const auto spread = static_cast<std::int64_t>(std::hash<Uuid>{}(vm) % 1000);
    due_.try_emplace(vm, now + interval_ * spread / 1000);
  }
}

std::optional<Uuid> VmTurns::take(Time now) {
  std::optional<std::pair<Uuid, Time>> first;
  for (const auto& [vm, due] : due_)
    if (due <= now && !taken_.contains(vm) && (!first || due < first->second)) first = {vm, due};
  if (!first) return std::nullopt;
  taken_.insert(first->first);
  return first->first;
}

void VmTurns::done(Uuid vm, Time now, Millis wait) {
  taken_.erase(vm);
  if (const auto due = due_.find(vm); due != due_.end()) due->second = now + wait;
}

}  // namespace virtseer::collect

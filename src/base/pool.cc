#include "base/pool.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace virtseer {

/// What the threads share; it lives as long as the last of them.
struct BlockingPool::Core : std::enable_shared_from_this<Core> {
  Core(boost::asio::any_io_executor executor, std::string pool_name, Limits the_limits)
      : loop(std::move(executor)), name(std::move(pool_name)), limits(the_limits) {}

  boost::asio::any_io_executor loop;
  const std::string name;
  const Limits limits;

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::pair<Ticket, Work>> waiting;
  std::set<Ticket> running;
  std::set<Ticket> stuck;  ///< running and abandoned
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool closed = false;
  Ticket last = 0;
  std::uint64_t abandoned_total = 0;
  std::uint64_t refused_total = 0;

  /// With the mutex held: one more thread, if work waits for one and the bound allows it.
  void grow() {
    if (closed || waiting.size() <= idle || threads - stuck.size() >= limits.threads ||
        threads >= limits.threads + limits.abandoned) {
      return;
    }
    ++threads;
    std::thread([core = shared_from_this()] { core->work(); }).detach();
  }

  void work() {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      changed.wait(lock, [&] { return closed || !waiting.empty(); });
      --idle;
      if (waiting.empty()) break;
      auto [ticket, job] = std::move(waiting.front());
      waiting.pop_front();
      running.insert(ticket);
      lock.unlock();
      auto report = job();
      job = nullptr;
      lock.lock();
      if (closed || stuck.contains(ticket)) {
        // Nobody waits for the result any more; what it holds may take long to be destroyed.
        lock.unlock();
        report = nullptr;
        lock.lock();
      }
      running.erase(ticket);
      const bool was_stuck = stuck.erase(ticket) > 0;
      if (report && !was_stuck && !closed) boost::asio::post(loop, std::move(report));
      if (was_stuck && threads - stuck.size() > limits.threads) break;
    }
    --threads;
    changed.notify_all();
  }
};

BlockingPool::BlockingPool(boost::asio::any_io_executor loop, std::string name, Limits limits)
    : loop_(loop), core_(std::make_shared<Core>(std::move(loop), std::move(name), limits)) {}

BlockingPool::~BlockingPool() {
  close();
}

Result<BlockingPool::Ticket> BlockingPool::submit(Work work) {
  const std::lock_guard lock(core_->mutex);
  if (core_->closed) return fail(Code::cancelled, "shutting down");
  if (core_->waiting.size() >= core_->limits.queue ||
      core_->stuck.size() >= core_->limits.abandoned + core_->limits.threads) {
    ++core_->refused_total;
    return fail(Code::busy, core_->stuck.empty() ? "too many calls are waiting"
                                                 : "earlier calls have not returned");
  }
  const Ticket ticket = ++core_->last;
  core_->waiting.emplace_back(ticket, std::move(work));
  core_->grow();
  core_->changed.notify_one();
  return ticket;
}

void BlockingPool::abandon(Ticket ticket) {
  Work dropped;  // destroyed when the mutex is free again
  const std::lock_guard lock(core_->mutex);
  ++core_->abandoned_total;
  if (core_->running.contains(ticket)) {
    core_->stuck.insert(ticket);
    core_->grow();
    return;
  }
  auto& waiting = core_->waiting;
  const auto job = std::ranges::find(waiting, ticket, &std::pair<Ticket, Work>::first);
  if (job == waiting.end()) return;
  dropped = std::move(job->second);
  waiting.erase(job);
}

BlockingPool::Counts BlockingPool::counts() const {
  const std::lock_guard lock(core_->mutex);
  return {core_->waiting.size(), core_->running.size() - core_->stuck.size(), core_->stuck.size(),
          core_->abandoned_total, core_->refused_total};
}

void BlockingPool::close() {
  std::deque<std::pair<Ticket, Work>> dropped;  // destroyed when the mutex is free again
  std::unique_lock lock(core_->mutex);
  core_->closed = true;
  dropped.swap(core_->waiting);
  core_->changed.notify_all();
  core_->changed.wait(lock, [&] { return core_->threads == core_->stuck.size(); });
}

}  // namespace virtseer

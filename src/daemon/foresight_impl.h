#pragma once

#include <mutex>
#include <unordered_set>

#include "base/pool.h"
#include "daemon/contention_watch.h"
#include "daemon/demand_feed.h"
#include "daemon/duplicates.h"
#include "daemon/fleet_view.h"
#include "daemon/foresight.h"
#include "daemon/plan_archive.h"
#include "daemon/plan_news.h"
#include "daemon/round_worker.h"
#include "daemon/seen_vms.h"

namespace virtseer::daemon {

/// Private to foresight*.cc.
struct Foresight::Impl {
  /// The worker, alone with whoever holds the lock: a job that was given up may still run.
  struct Desk {
    Desk(predict::PredictorOptions options, decide::PlannerRules rules)
        : worker(std::move(options), rules) {}
    std::mutex mutex;
    RoundWorker worker;
  };

  Impl(boost::asio::any_io_executor loop, const Clock& clock, const Config& config,
       ForesightContext context);

  // The round, in order.
  boost::asio::awaitable<void> round();
  boost::asio::awaitable<void> takeUp();
  boost::asio::awaitable<void> askFacts();
  boost::asio::awaitable<void> learn(std::vector<Vm> running);
  boost::asio::awaitable<std::vector<VmHistory>> readHistories(std::vector<Uuid> vms);
  boost::asio::awaitable<RoundOrder> gather(std::vector<Vm> running);
  void measure(double used_cores, double delay_cores, bool measured);
  void adopt(RoundAnswer answer);
  /// Only once what the store has was taken up: else it would be written over unread.
  boost::asio::awaitable<void> keep();

  /// Runs `job(RoundWorker&)` on the worker's thread.
  template <class Job>
  auto atDesk(std::string what, Job job) {
    return pool.run(std::move(what), kJobDeadline, [desk = desk, job = std::move(job)]() mutable {
      const std::lock_guard lock(desk->mutex);
      return job(desk->worker);
    });
  }
  /// Tells a failure once until it is over.
  void fault(const std::string& message);

  std::vector<Vm> running() const;
  HostState own(Timestamp as_of) const;
  double wantedCpus(const Vm& vm) const;

  static constexpr Millis kJobDeadline{60'000};

  boost::asio::any_io_executor loop;
  const Clock& clock;
  const Config config;
  ForesightContext context;
  std::shared_ptr<Desk> desk;
  BlockingPool pool;

  DemandFeed feed;
  ContentionWatch watch;
  PlanArchive archive;
  PlanNews news;
  SeenVms seen;
  Duplicates duplicates;
  std::shared_ptr<const Foreseen> foreseen;
  Counts counts;

  std::uint64_t store = 1;     ///< rises when another one serves
  std::uint64_t taken_up = 0;  ///< the store whose plans and calibration were read
  bool restored = false;       ///< calibration of an earlier life is in the worker
  std::optional<OwnFacts> facts;
  std::optional<std::chrono::steady_clock::time_point> facts_asked;
  bool facts_stale = true;
  bool facts_failed = false;
  std::optional<double> own_cpus;  ///< of the host itself, smoothed
  std::optional<double> delay_cores;
  std::optional<Timestamp> last_round;
  std::optional<std::chrono::steady_clock::time_point> kept;
  std::string told_fault;
};

}  // namespace virtseer::daemon

#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <set>

#include "act/enroll.h"
#include "base/task_group.h"

namespace virtseer::daemon {

/// Enrolls VMs, each by one person at a time. What was begun goes on when whoever asked for it does
/// not wait any more. Loop thread; `tasks` owns what runs, and both outlive it.
class Enrollments {
 public:
  Enrollments(boost::asio::any_io_executor loop, TaskGroup& tasks)
      : loop_(std::move(loop)), tasks_(tasks) {}

  /// The VM is being changed.
  bool underWay(const Uuid& vm) const { return under_way_.contains(vm); }
  /// As act::enroll(). busy: the VM is being changed already; cancelled: the daemon stops; failed
  /// also for an exception. `actions` outlives what was begun.
  boost::asio::awaitable<Result<EnrollReport>> run(platform::Actions& actions,
                                                   act::EnrollOrder order,
                                                   act::EnrollContext context);

 private:
  struct Answer;
  struct Enrolling;
  static boost::asio::awaitable<void> carryOut(std::unique_ptr<Enrolling> enrolling,
                                               act::EnrollContext context);

  boost::asio::any_io_executor loop_;
  TaskGroup& tasks_;
  std::set<Uuid> under_way_;
};

}  // namespace virtseer::daemon

#include "daemon/enrollments.h"

#include <fmt/format.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "base/log.h"
#include "base/text.h"

namespace virtseer::daemon {

namespace asio = boost::asio;

struct Enrollments::Answer {
  explicit Answer(asio::any_io_executor loop)
      : given(std::move(loop), asio::steady_timer::time_point::max()) {}
  Result<EnrollReport> report = fail(Code::cancelled, "the daemon stops");
  asio::steady_timer given;  ///< expires once `report` holds
};

/// Owned by what enrolls; a person may have stopped waiting for it.
struct Enrollments::Enrolling {
  ~Enrolling() {
    if (!order.dry_run) under_way.erase(order.vm);
    answer->given.expires_after(Millis(0));
  }

  platform::Actions& actions;
  std::set<Uuid>& under_way;
  const act::EnrollOrder order;
  const std::shared_ptr<Answer> answer;
};

namespace {

/// Whoever waits is told, and the log in case that nobody does.
Error fault(const Uuid& vm, const std::exception& error) {
  log(Level::error,
      fmt::format("enrolling VM {} ended by an exception: {}", vm.text(), printable(error.what())));
  return {Code::failed,
          fmt::format("a fault of virtseer itself ended it, look with --dry-run what was done: {}",
                      printable(error.what()))};
}

}  // namespace

asio::awaitable<void> Enrollments::carryOut(std::unique_ptr<Enrolling> enrolling,
                                            act::EnrollContext context) {
  auto& report = enrolling->answer->report;
  try {
    report = co_await act::enroll(enrolling->actions, enrolling->order, std::move(context));
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) throw;
    report = fail(fault(enrolling->order.vm, error));
  } catch (const std::exception& error) {
    report = fail(fault(enrolling->order.vm, error));
  }
}

asio::awaitable<Result<EnrollReport>> Enrollments::run(platform::Actions& actions,
                                                       act::EnrollOrder order,
                                                       act::EnrollContext context) {
  const auto vm = order.vm;
  const bool dry_run = order.dry_run;
  if (!dry_run && underWay(vm)) co_return fail(Code::busy, "it is being enrolled already");
  const auto answer = std::make_shared<Answer>(loop_);
  auto enrolling = std::make_unique<Enrolling>(actions, under_way_, std::move(order), answer);
  if (!dry_run) under_way_.insert(vm);
  tasks_.spawn("enrolling " + vm.text(), carryOut(std::move(enrolling), std::move(context)));
  boost::system::error_code ignored;
  co_await answer->given.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_return answer->report;
}

}  // namespace virtseer::daemon

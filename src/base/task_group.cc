#include "base/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace virtseer {

namespace asio = boost::asio;

struct TaskGroup::Task {
  std::string name;
  asio::cancellation_signal signal;
};

TaskGroup::TaskGroup(asio::any_io_executor loop,
                     std::function<void(const std::string&, const std::string&)> on_failure)
    : loop_(loop), on_failure_(std::move(on_failure)), emptied_(loop) {}

TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(std::string name, asio::awaitable<void> coroutine) {
  if (cancelled_) return;
  const auto id = ++last_;
  auto& task = *(tasks_[id] = std::make_shared<Task>());
  task.name = std::move(name);
  asio::co_spawn(
      loop_, std::move(coroutine),
      asio::bind_cancellation_slot(task.signal.slot(), [this, id](std::exception_ptr error) {
        const auto ended = tasks_.extract(id);
        if (tasks_.empty()) emptied_.cancel();
        if (!error) return;
        try {
          std::rethrow_exception(error);
        } catch (const boost::system::system_error& failure) {
          if (failure.code() != asio::error::operation_aborted)
            on_failure_(ended.mapped()->name, failure.what());
        } catch (const std::exception& failure) {
          on_failure_(ended.mapped()->name, failure.what());
        }
      }));
}

void TaskGroup::cancel() {
  cancelled_ = true;
  // co_spawn() passes a signal on within the loop only: one that is raised elsewhere it posts, and
  // the coroutine, and with it the signal, may be gone by then. So it is raised in the loop.
  std::vector<std::weak_ptr<Task>> running;
  for (const auto& [id, task] : tasks_) running.push_back(task);
  for (auto& one : running)
    asio::dispatch(loop_, [one = std::move(one)] {
      if (const auto task = one.lock()) task->signal.emit(asio::cancellation_type::terminal);
    });
}

asio::awaitable<void> TaskGroup::join() {
  while (!tasks_.empty()) {
    emptied_.expires_at(asio::steady_timer::time_point::max());
    boost::system::error_code ignored;
    co_await emptied_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

std::vector<std::string> TaskGroup::names() const {
  std::vector<std::string> out;
  for (const auto& [id, task] : tasks_) out.push_back(task->name);
  return out;
}

}  // namespace virtseer

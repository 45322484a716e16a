#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace virtseer {

/// Owns coroutines: each has a name, ends before the group does, and is cancelled when the group
/// is. Used on the loop's thread only. The group must outlive its coroutines: `co_await join()`
/// first.
class TaskGroup {
 public:
  /// `on_failure` gets the name of a coroutine that ended by an exception, and what it said.
  TaskGroup(boost::asio::any_io_executor loop,
            std::function<void(const std::string& name, const std::string& what)> on_failure);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts a coroutine; once cancel() was called nothing is started any more.
  void spawn(std::string name, boost::asio::awaitable<void> task);

  /// Asks every coroutine to end at its next suspension point. Called while the loop does not run,
  /// it takes effect when the loop does.
  void cancel();

  /// Returns when every coroutine has ended.
  boost::asio::awaitable<void> join();

  std::size_t size() const { return tasks_.size(); }
  std::vector<std::string> names() const;

 private:
  struct Task;
  boost::asio::any_io_executor loop_;
  std::function<void(const std::string&, const std::string&)> on_failure_;
  std::map<std::uint64_t, std::shared_ptr<Task>> tasks_;
  std::uint64_t last_ = 0;
  bool cancelled_ = false;
  boost::asio::steady_timer emptied_;
};

}  // namespace virtseer

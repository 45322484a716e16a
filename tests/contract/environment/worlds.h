#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "platform/environment.h"

namespace virtseer::platform::contract {

/// A world with at least one running VM, seen through the environment under test.
class World {
 public:
  World()
      : tasks(loop.get_executor(),
              [](const std::string&, const std::string& what) { FAIL_CHECK(what); }) {}
  virtual ~World() = default;

  virtual Environment& environment() = 0;
  /// A running VM that the test may pause for a moment.
  virtual Uuid vm() = 0;
  virtual void pauseVm() = 0;
  virtual void resumeVm() = 0;
  /// A VM with an open port of the name, or nullopt where the world has none.
  virtual std::optional<Uuid> vmWithChannel() { return std::nullopt; }

  /// A small VM that this world can define and start, of this identity.
  virtual std::string definition(const Uuid& uuid, const std::string& name) = 0;

  /// Turns the loop until `done`, at most half a minute of real time.
  bool until(const std::function<bool()>& done);

  template <class T>
  T await(boost::asio::awaitable<T> task) {
    std::optional<T> result;
    boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      result = std::move(value);
    });
    REQUIRE(until([&] { return result.has_value(); }));
    return std::move(*result);
  }

  /// Starts run() and waits for the first `connected`.
  void connect();
  /// Cancels run() and waits for its end.
  void stop();
  bool saw(Notice::Kind kind, std::string_view detail) const;

  boost::asio::io_context loop;
  TaskGroup tasks;
  std::vector<Notice> notices;
};

/// The worlds there are: "fake", "libvirt-test", and "lab" if VIRTSEER_LAB_URI names a QEMU host.
std::vector<std::string> worldNames();
/// `disk_locks`: what the world's host is said to have; absent: what it has.
std::unique_ptr<World> makeWorld(const std::string& name,
                                 std::optional<bool> disk_locks = std::nullopt);

/// An environment whose hypervisor is not there, of the same make.
std::unique_ptr<Environment> makeUnreachable(const std::string& name,
                                             boost::asio::any_io_executor loop);

}  // namespace virtseer::platform::contract

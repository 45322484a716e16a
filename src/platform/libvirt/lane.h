#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "base/pool.h"
#include "platform/libvirt/connection.h"

namespace virtseer::platform {

/// What opening a connection takes; shared by all lanes of an environment.
struct ConnectionSource {
  std::string uri;
  std::shared_ptr<EventThread> events;
  std::shared_ptr<Closer::Core> closer;

  Result<std::shared_ptr<Connection>> open(Connection::Access access) const {
    return Connection::open(uri, access, events, closer);
  }
};

/// A pool with a connection of its own for one kind of call, since the daemon serves five requests
/// per connection at once and a long one holds its place. Loop thread only.
class Lane {
 public:
  Lane(boost::asio::any_io_executor loop, ConnectionSource source, std::string name,
       std::size_t threads, Connection::Access access)
      : source_(std::move(source)),
        access_(access),
        pool_(std::move(loop), std::move(name), {threads, 64, 2}) {
    renew();
  }

  /// Leaves the connection to the calls that are on it; later ones open another.
  void renew() {
    connection_ =
        std::make_shared<LazyConnection>(source_.uri, access_, source_.events, source_.closer);
  }

  template <class Job>
  boost::asio::awaitable<std::invoke_result_t<Job&, const std::shared_ptr<Connection>&>> call(
      std::string what, Millis deadline, Job job) {
    using R = std::invoke_result_t<Job&, const std::shared_ptr<Connection>&>;
    const auto connection = connection_;
    auto on_thread = [connection, job = std::move(job)]() mutable -> R {
      auto opened = connection->get();
      if (!opened) return fail(opened.error());
      return job(*opened);
    };
    R result = co_await pool_.run(std::move(what), deadline, std::move(on_thread));
    // The stuck call keeps its connection; nobody else shall wait behind it.
    if (!result && result.error().code == Code::timeout && connection_ == connection) renew();
    co_return result;
  }

  const BlockingPool& pool() const { return pool_; }

 private:
  const ConnectionSource source_;
  const Connection::Access access_;
  std::shared_ptr<LazyConnection> connection_;
  BlockingPool pool_;
};

}  // namespace virtseer::platform

#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "api/backend.h"
#include "api/decisions.h"
#include "base/result.h"
#include "base/time.h"

namespace virtseer::api {

struct ServerOptions {
  std::filesystem::path socket;            ///< UNIX socket, mode 0660; empty: none
  std::string listen;                      ///< "ADDRESS:PORT" of TCP; empty: none
  std::string token;                       ///< for TCP; empty: reading from loopback only
  std::vector<std::string> allowed_hosts;  ///< besides the system's own names
  /// Further ones get 503. TCP takes three quarters of them at most (but one), so that the UNIX
  /// socket can always be reached.
  std::size_t max_connections = 256;
  std::size_t max_header_bytes = 16384;  ///< request line included
  std::size_t max_body_bytes = 65536;    ///< of routes without a bound of their own, see Route
  Millis read_timeout{10'000};           ///< from the first byte of a request to its last
  Millis request_deadline{
      30'000};                  ///< for the handler, and again for the client to take the answer
  Millis idle_timeout{60'000};  ///< between requests of a connection
};

/// What was met since the start.
struct ServerCounts {
  std::size_t connections = 0;  ///< now
  std::uint64_t accepted = 0;   ///< connections
  std::uint64_t requests = 0;   ///< answered by a route's handler
  std::uint64_t refused = 0;    ///< by a bound or for lack of a right
  std::uint64_t timed_out = 0;  ///< clients too slow, handlers past their deadline
  std::uint64_t failed = 0;     ///< handlers that threw
};

/// Answers HTTP/1.1 on a UNIX socket and, where configured, on TCP. Everything runs on the loop
/// given; each connection is one coroutine, and requests of a connection are answered one after the
/// other. Loop thread only. Destroy it after stop(), or when the loop runs no more.
class Server {
 public:
  /// Binds and begins to accept. `backend`, `decisions` and `clock` outlive the server. Fails if an
  /// address is taken or wrong; then nothing listens.
  static Result<std::unique_ptr<Server>> start(boost::asio::any_io_executor loop, Backend& backend,
                                               Decisions& decisions, const Clock& clock,
                                               ServerOptions options);
  ~Server();

  /// Accepts no more, ends idle connections, lets requests that run end up to `patience`, then
  /// closes.
  boost::asio::awaitable<void> stop(Millis patience);

  ServerCounts counts() const;

  /// The TCP port listened on; 0: none.
  std::uint16_t port() const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace virtseer::api

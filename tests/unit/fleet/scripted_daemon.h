#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "fleet/peers.h"

namespace virtseer::fleet {

namespace asio = boost::asio;

/// What a peer asked, in bytes.
struct Asked {
  std::string head, body;

  std::string line() const { return head.substr(0, head.find("\r\n")); }
  std::string header(const std::string& name) const {
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const auto begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

inline std::string reply(unsigned status, const std::string& body, const std::string& more = "") {
  return "HTTP/1.1 " + std::to_string(status) +
         " Such\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more + "\r\n" + body;
}

inline std::string problem(unsigned status, const std::string& code, const std::string& detail) {
  return reply(status, R"({"code":")" + code + R"(","detail":")" + detail + R"("})",
               "Content-Type: application/problem+json\r\n");
}

/// A loop with a server on loopback that answers with the bytes that it is told to.
class ScriptedDaemon {
 public:
  /// What to send; nothing at all: stay silent with the connection open.
  using Script = std::function<std::optional<std::string>(const Asked&)>;

  explicit ScriptedDaemon(asio::io_context& io, bool v6 = false)
      : io_(io),
        acceptor_(io, v6 ? asio::ip::tcp::endpoint(asio::ip::address_v6::loopback(), 0)
                         : asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        tasks_(io.get_executor(), [](const std::string&, const std::string&) {}) {
    tasks_.spawn("accept", accept());
  }

  std::string port() const { return std::to_string(acceptor_.local_endpoint().port()); }
  std::string url() const { return "http://127.0.0.1:" + port(); }
  asio::awaitable<void> stop() {
    tasks_.cancel();
    co_await tasks_.join();
  }

  Script script = [](const Asked&) { return reply(200, "{}"); };
  std::vector<Asked> asked;

 private:
  asio::awaitable<void> accept() {
    for (;;) {
      auto socket = co_await acceptor_.async_accept(asio::use_awaitable);
      tasks_.spawn("serve", serve(std::move(socket)));
    }
  }

  asio::awaitable<void> serve(asio::ip::tcp::socket socket) {
    std::string bytes;
    boost::system::error_code ignored;
    const auto end = co_await asio::async_read_until(socket, asio::dynamic_buffer(bytes),
                                                     "\r\n\r\n", asio::use_awaitable);
    Asked got{bytes.substr(0, end), bytes.substr(end)};
    const std::string length = got.header("Content-Length");
    const std::size_t size = length.empty() ? 0 : std::stoul(length);
    while (got.body.size() < size) {
      char more[4096];
      const auto read = co_await socket.async_read_some(asio::buffer(more), asio::use_awaitable);
      got.body.append(more, read);
    }
    asked.push_back(got);
    const auto answer = script(got);
    if (!answer) {
      // Returns when the other side hangs up.
      char more[64];
      co_await socket.async_read_some(asio::buffer(more),
                                      asio::redirect_error(asio::use_awaitable, ignored));
      co_return;
    }
    co_await asio::async_write(socket, asio::buffer(*answer),
                               asio::redirect_error(asio::use_awaitable, ignored));
    socket.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }

  asio::io_context& io_;
  asio::ip::tcp::acceptor acceptor_;
  TaskGroup tasks_;
};

/// Runs a coroutine to its end, at most ten seconds.
template <class T>
T complete(asio::io_context& io, asio::awaitable<T> task) {
  std::optional<T> out;
  std::exception_ptr fault;
  asio::co_spawn(io, std::move(task), [&](std::exception_ptr failed, T value) {
    fault = failed;
    if (!failed) out = std::move(value);
  });
  io.restart();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!out && !fault && std::chrono::steady_clock::now() < end)
    io.run_one_for(std::chrono::milliseconds(100));
  if (fault) std::rethrow_exception(fault);
  REQUIRE(out);
  return std::move(*out);
}

/// Runs the loop until `seen`, at most ten seconds.
inline bool until(asio::io_context& io, const std::function<bool()>& seen) {
  io.restart();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!seen() && std::chrono::steady_clock::now() < end)
    io.run_one_for(std::chrono::milliseconds(100));
  return seen();
}

/// A port on loopback where nobody listens.
inline std::string deadPort() {
  asio::io_context io;
  asio::ip::tcp::acceptor taken(io, {asio::ip::address_v4::loopback(), 0});
  return std::to_string(taken.local_endpoint().port());
}

}  // namespace virtseer::fleet

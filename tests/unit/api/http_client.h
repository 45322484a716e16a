#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/server.h"
#include "decisions_samples.h"
#include "fake_backend.h"
#include "support/fake_decisions.h"

namespace virtseer::api {

/// A folder that is gone afterwards.
class Scratch {
 public:
  Scratch() {
    char name[] = "/tmp/virtseer_api_XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct Reply {
  unsigned status = 0;
  std::string head, body;

  std::string header(const std::string& name) const {
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const auto begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
  nlohmann::json json() const { return nlohmann::json::parse(body); }
};

/// A client that sends just what it is told. Waits at most ten seconds for anything.
class Client {
 public:
  static Client local(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return Client(AF_UNIX, reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  static Client tcp(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return Client(AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Client() {
    if (fd_ >= 0) close(fd_);
  }

  /// False if the other side has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Reads one reply; status 0 if the connection ended before it.
  Reply reply(bool head_only = false) {
    Reply out;
    while (rest_.find("\r\n\r\n") == std::string::npos)
      if (!more()) return out;
    const auto end = rest_.find("\r\n\r\n") + 4;
    out.head = rest_.substr(0, end);
    rest_.erase(0, end);
    const auto length =
        head_only ? 0 : std::strtoull(out.header("Content-Length").c_str(), nullptr, 10);
    while (rest_.size() < length)
      if (!more()) return out;
    out.body = rest_.substr(0, length);
    rest_.erase(0, length);
    out.status = static_cast<unsigned>(std::strtoul(out.head.c_str() + 9, nullptr, 10));
    return out;
  }

  /// Sends a JSON body, with whatever further headers.
  Reply post(const std::string& path, const std::string& body, const std::string& headers = "") {
    return ask("POST " + path,
               headers + "Content-Type: application/json\r\nContent-Length: " +
                   std::to_string(body.size()) + "\r\n",
               body);
  }

  Reply ask(const std::string& request_line, const std::string& headers = "",
            const std::string& body = "") {
    send(request_line + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body);
    return reply(request_line.starts_with("HEAD"));
  }

  /// True when the other side has ended the connection and nothing is left to read.
  bool ended() {
    while (more()) continue;
    return rest_.empty() && !timed_out_;
  }

 private:
  Client(int family, const sockaddr* address, socklen_t size)
      : fd_(socket(family, SOCK_STREAM, 0)) {
    const timeval patience{10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd_, address, size) != 0) throw std::runtime_error(std::strerror(errno));
  }

  bool more() {
    char bytes[4096];
    const auto got = recv(fd_, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN) timed_out_ = true;
    if (got <= 0) return false;
    rest_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  int fd_;
  std::string rest_;
  bool timed_out_ = false;
};

/// A server on its own thread, on a UNIX socket and on loopback TCP.
class Running {
 public:
  explicit Running(FakeBackend with = FakeBackend::filled(), ServerOptions options = {},
                   test::FakeDecisions deciding = filledDecisions())
      : backend(std::move(with)), decisions(std::move(deciding)), work_(io_.get_executor()) {
    options.socket = socket();
    options.listen = "127.0.0.1:0";
    auto started = Server::start(io_.get_executor(), backend, decisions, clock, options);
    if (!started) throw std::runtime_error(started.error().message);
    server_ = std::move(*started);
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Running() {
    if (server_) stop(Millis(5000));
  }

  std::filesystem::path socket() const { return scratch_ / "api.sock"; }
  Client local() { return Client::local(socket()); }
  Client tcp() {
    return Client::tcp(onLoop([this] { return server_->port(); }));
  }
  ServerCounts counts() {
    return onLoop([this] { return server_->counts(); });
  }

  /// Begins to stop; the future is ready when it has.
  std::future<void> beginStop(Millis patience) {
    return boost::asio::co_spawn(io_, server_->stop(patience), boost::asio::use_future);
  }

  void stop(Millis patience) {
    beginStop(patience).get();
    onLoop([this] { return server_.reset(), 0; });
    work_.reset();
    thread_.join();
  }

  /// Polls until the server's counts are as wanted, for ten seconds at most.
  template <class Wanted>
  bool soon(Wanted wanted) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!wanted(counts())) {
      if (std::chrono::steady_clock::now() > end) return false;
      poll(nullptr, 0, 1);
    }
    return true;
  }

  /// Runs `call` on the server's thread.
  template <class Call>
  auto onLoop(Call call) -> decltype(call()) {
    std::promise<decltype(call())> promise;
    auto result = promise.get_future();
    boost::asio::post(io_, [&promise, &call] { promise.set_value(call()); });
    return result.get();
  }

  FakeBackend backend;
  test::FakeDecisions decisions;
  SystemClock clock;

 private:
  Scratch scratch_;
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

}  // namespace virtseer::api

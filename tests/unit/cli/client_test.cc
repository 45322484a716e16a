#include "cli/client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace virtseer::cli {
namespace {

/// A server that takes one connection, reads until the end of the headers, and says what it was
/// given.
class OneAnswer {
 public:
  OneAnswer(bool tcp, std::string answer, bool deaf = false)
      : answer_(std::move(answer)), deaf_(deaf) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "virtseer-client-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    if (tcp)
      listenTcp();
    else
      listenUnix();
    thread_ = std::thread([this] { serve(); });
  }
  ~OneAnswer() {
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
    std::filesystem::remove_all(folder_);
  }
  Connection connection() const {
    if (port_ == 0) return {(folder_ / "s").string(), "", ""};
    return {"", fmt::format("http://127.0.0.1:{}", port_), ""};
  }
  std::string request() {
    thread_.join();
    return request_;
  }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  void listenUnix() {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder_ / "s").string().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 1) == 0);
  }
  void listenTcp() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 1) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  void serve() {
    const int client = ::accept(listener_, nullptr, nullptr);
    char block[4096];
    while (!deaf_ && request_.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::read(client, block, sizeof block);
      if (got <= 0) break;
      request_.append(block, static_cast<std::size_t>(got));
    }
    if (!answer_.empty()) {
      (void)!::write(client, answer_.data(), answer_.size());
    } else {
      while (::read(client, block, sizeof block) > 0) {
      }
    }
    ::close(client);
  }

  std::filesystem::path folder_;
  std::string answer_, request_;
  const bool deaf_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::string http(const std::string& body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

}  // namespace

TEST_CASE("a request over the UNIX socket brings back status and body", "[client]") {
  OneAnswer server(false, http("{\"a\":1}\n"));
  const auto reply =
      exchange(server.connection(), {Request::Method::get, "/api/v1/vms?gone=true", ""});
  REQUIRE(reply.has_value());
  CHECK(reply->status == 200);
  CHECK(reply->body == "{\"a\":1}\n");
  const std::string sent = server.request();
  CHECK(sent.starts_with("GET /api/v1/vms?gone=true HTTP/1.1\r\nHost: localhost\r\n"));
}

TEST_CASE("over TCP the token and the host are sent along", "[client]") {
  OneAnswer server(true, http("{}"));
  auto connection = server.connection();
  connection.token_file = (server.folder() / "token").string();
  std::ofstream(connection.token_file) << "  s3cret-s3cret-16 \n";
  const auto reply = exchange(connection, {Request::Method::post, "/x", "{\"b\":2}"});
  REQUIRE(reply.has_value());
  const std::string sent = server.request();
  CHECK(sent.starts_with("POST /x HTTP/1.1\r\n"));
  CHECK(sent.find("Authorization: Bearer s3cret-s3cret-16\r\n") != std::string::npos);
  CHECK(sent.find("Host: " + connection.url.substr(7) + "\r\n") != std::string::npos);
  CHECK(sent.find("Content-Length: 7\r\n") != std::string::npos);
}

TEST_CASE("nobody there is not reachable", "[client]") {
  const auto none =
      exchange({"/nonexistent/virtseer.sock", "", ""}, {Request::Method::get, "/", ""});
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().code == Code::unreachable);

  const int held = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(held, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(held, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const auto refused =
      exchange({"", fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port)), ""},
               {Request::Method::get, "/", ""});
  ::close(held);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::unreachable);
}

TEST_CASE("a server that never answers is given up", "[client]") {
  OneAnswer server(false, "");
  const auto reply = exchange(server.connection(), {Request::Method::get, "/", ""}, Millis(200));
  REQUIRE_FALSE(reply.has_value());
  CHECK(reply.error().code == Code::timeout);
}

TEST_CASE("an answer that came before the request was read is taken", "[client]") {
  OneAnswer server(false, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}", true);
  const auto connection = server.connection();
  // Larger than a socket holds, so that sending it fails once the other side has closed.
  const auto reply =
      exchange(connection, {Request::Method::post, "/x", std::string(8u << 20, 'x')});
  REQUIRE(reply.has_value());
  CHECK(reply->status == 503);
}

TEST_CASE("what is no HTTP is a failure", "[client]") {
  OneAnswer server(false, "SSH-2.0-OpenSSH\r\n\r\n");
  const auto reply = exchange(server.connection(), {Request::Method::get, "/", ""});
  REQUIRE_FALSE(reply.has_value());
  CHECK(reply.error().code == Code::failed);
}

TEST_CASE("only plain addresses are taken", "[client]") {
  CHECK(parseUrl("http://127.0.0.1:8686")->port == "8686");
  CHECK(parseUrl("http://[::1]:8686/")->host == "::1");
  CHECK(parseUrl("http://alpha.example:80")->host == "alpha.example");
  for (const char* bad :
       {"", "127.0.0.1:1", "https://a:1", "http://a", "http://a:0", "http://a:65536",
        "http://a:1/x", "http://:1", "http://a b:1", "http://a\r\nX:1", "http://u@a:1"}) {
    INFO(bad);
    CHECK_FALSE(parseUrl(bad).has_value());
  }
}

TEST_CASE("a token file with anything but one word is refused", "[client]") {
  std::string pattern = (std::filesystem::temp_directory_path() / "virtseer-token-XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  const std::string file = pattern + "/t";
  for (const char* bad : {"", "\n", "short\n", "two words that are long\n",
                          "aaaaaaaaaaaaaaaa\x01"
                          "b\n"}) {
    std::ofstream(file, std::ios::trunc) << bad;
    CHECK_FALSE(readToken(file).has_value());
  }
  std::ofstream(file, std::ios::trunc) << "token-of-some-length\r\nsecond line\n";
  CHECK(*readToken(file) == "token-of-some-length");
  std::filesystem::remove_all(pattern);
  CHECK_FALSE(readToken(file).has_value());
}

}  // namespace virtseer::cli

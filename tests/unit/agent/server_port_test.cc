#include "agent/server_port.h"

#include <linux/vm_sockets.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "agent/login.h"
#include "support/certificates.h"
#include "tree.h"
#include "virtseer/echo/codec.h"

namespace virtseer::agent {
namespace {

using test::Certificate;

const std::string kVm = "aaaaaaaa-0000-4000-8000-000000000001";
const std::string kToken = "0123456789abcdef0123456789abcdef";
const std::string kLogin = echo::encode(echo::Login{kVm, kToken});

struct Ends {
  Descriptor agent, host;

  Ends() {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    agent = Descriptor(pair[0]);
    host = Descriptor(pair[1]);
  }
};

std::string readAll(int fd) {
  std::string all;
  char buffer[4096];
  for (ssize_t size; (size = ::read(fd, buffer, sizeof buffer)) > 0;)
    all.append(buffer, static_cast<std::size_t>(size));
  return all;
}

/// The host's end of TLS, by the library that the daemon uses; on a socket that does not block.
class TlsHost {
 public:
  TlsHost(int fd, const Certificate& own, int newest = 0)
      : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
    ::signal(SIGPIPE, SIG_IGN);  // of the library, where the agent hung up
    if (newest != 0) SSL_CTX_set_max_proto_version(context_.get(), newest);
    load(own);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), fd);
    SSL_set_accept_state(ssl_.get());
  }

  /// What came since the last call; goes on with the handshake before.
  std::string read() {
    std::string all;
    char buffer[4096];
    for (int size; (size = SSL_read(ssl_.get(), buffer, sizeof buffer)) > 0;)
      all.append(buffer, static_cast<std::size_t>(size));
    return all;
  }
  int write(std::string_view bytes) {
    return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  }
  void end() { SSL_shutdown(ssl_.get()); }

 private:
  void load(const Certificate& own) {
    const std::string pem = own.pem(), key = own.key();
    BIO* memory = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    X509* x509 = PEM_read_bio_X509(memory, nullptr, nullptr, nullptr);
    REQUIRE(SSL_CTX_use_certificate(context_.get(), x509) == 1);
    X509_free(x509);
    BIO_free(memory);
    memory = BIO_new_mem_buf(key.data(), static_cast<int>(key.size()));
    EVP_PKEY* secret = PEM_read_bio_PrivateKey(memory, nullptr, nullptr, nullptr);
    REQUIRE(SSL_CTX_use_PrivateKey(context_.get(), secret) == 1);
    EVP_PKEY_free(secret);
    BIO_free(memory);
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
};

/// Both ends, turned in turns until nothing moves.
struct Tls {
  Ends ends;
  std::unique_ptr<Port> port;
  std::unique_ptr<TlsHost> host;
  std::string heard;  ///< by the host

  Tls(const Certificate& authority, const Certificate& own, const std::string& name,
      int newest = 0) {
    host = std::make_unique<TlsHost>(ends.host.get(), own, newest);
    auto made = makeTlsPort(std::move(ends.agent), "tls://host:1", kLogin, authority.pem(), name);
    REQUIRE(made);
    port = std::move(*made);
    turn();
  }
  std::string turn() {
    std::string read;
    for (int i = 0; i < 20; ++i) {
      read += port->read();
      heard += host->read();
    }
    return read;
  }
};

TEST_CASE("a connection begins with the login, then carries what both sides send") {
  Ends ends;
  ServerPort port(std::move(ends.agent), "vsock://2:1", kLogin);
  CHECK(port.isCall());
  CHECK_FALSE(port.isReady());
  CHECK(port.wantsRoom());
  CHECK(port.read().empty());
  CHECK(port.isReady());
  CHECK_FALSE(port.wantsRoom());
  CHECK(port.write("after") == 5);
  CHECK(readAll(ends.host.get()) == kLogin + "after");
  REQUIRE(::write(ends.host.get(), "hello", 5) == 5);
  CHECK(port.read() == "hello");
  CHECK(port.isOpen());
  ends.host.reset();
  CHECK(port.read().empty());
  CHECK_FALSE(port.isOpen());
  CHECK(port.reason() == "vsock://2:1: the host closed the connection");
}

TEST_CASE("a host that does not read is waited for, and gets every byte in order") {
  Ends ends;
  ServerPort port(std::move(ends.agent), "vsock://2:1", kLogin);
  port.read();
  const std::string piece(10'000, 'x');
  std::size_t sent = 0;
  while (const std::size_t taken = port.write(piece)) sent += taken;
  CHECK(sent > 0);
  CHECK(port.isOpen());
  CHECK(readAll(ends.host.get()).size() == kLogin.size() + sent);
  CHECK(port.write(piece) > 0);
}

TEST_CASE("a host is told the token once its certificate is checked, whatever TLS it has") {
  const int newest = GENERATE(0, TLS1_2_VERSION);
  const Certificate authority("authority");
  const Certificate own("host", "DNS:host.example", &authority);
  Tls tls(authority, own, "host.example", newest);
  REQUIRE(tls.port->isReady());
  CHECK(tls.heard == kLogin);
  REQUIRE(tls.host->write("greeting") > 0);
  CHECK(tls.turn() == "greeting");
  CHECK(tls.port->write("echo") == 4);
  tls.turn();
  CHECK(tls.heard == kLogin + "echo");
  tls.host->end();
  tls.turn();
  CHECK_FALSE(tls.port->isOpen());
  CHECK(tls.port->reason() == "tls://host:1: the host closed the connection");
}

TEST_CASE("much at once goes through TLS whole and in order, also to a host that reads late") {
  const Certificate authority("authority");
  Tls tls(authority, Certificate("host", "IP:192.0.2.1", &authority), "192.0.2.1");
  REQUIRE(tls.port->isReady());
  std::string sent;
  bool waited = false;
  for (int i = 0; sent.size() < 4'000'000; ++i) {
    const std::string piece(1000 + static_cast<std::size_t>(i % 50'000),
                            static_cast<char>('a' + i % 26));
    std::size_t done = 0;
    while (done < piece.size()) {
      const std::size_t taken = tls.port->write(std::string_view(piece).substr(done));
      if (taken == 0) {
        waited = true;
        CHECK(tls.port->wantsRoom());
        tls.heard += tls.host->read();
      }
      done += taken;
    }
    sent += piece;
  }
  tls.turn();
  CHECK(waited);
  CHECK(tls.heard == kLogin + sent);
  std::string answer(100'000, 'z'), got;
  for (std::size_t done = 0; done < answer.size();) {
    const int count = tls.host->write(std::string_view(answer).substr(done, 16'384));
    if (count > 0) done += static_cast<std::size_t>(count);
    for (std::string_view part = tls.port->read(); !part.empty(); part = tls.port->read())
      got += part;
  }
  CHECK(got == answer);
}

TEST_CASE("a host that is not the right one never hears the token") {
  const Certificate authority("authority"), stranger("authority");
  const auto refused = [&](const Certificate& own, const std::string& name, const char* why) {
    Tls tls(authority, own, name);
    CHECK(tls.heard.empty());
    CHECK_FALSE(tls.port->isOpen());
    CHECK(tls.port->reason() == std::string("tls://host:1: ") + why);
  };
  refused(Certificate("host", "DNS:host.example", &stranger), "host.example",
          "its certificate is not signed by one in server_ca");
  refused(Certificate("host", "DNS:other.example", &authority), "host.example",
          "its certificate names another host: see server_name");
  refused(Certificate("192.0.2.1", "IP:192.0.2.2", &authority), "192.0.2.1",
          "its certificate names another host: see server_name");
  refused(Certificate("192.0.2.1", "DNS:192.0.2.1", &authority), "192.0.2.1",
          "its certificate names another host: see server_name");
  refused(Certificate("host", "DNS:host.example", &authority, -7200, -3600), "host.example",
          "its certificate has expired, or the clock of this guest is ahead");
  refused(Certificate("host", "DNS:host.example", &authority, 3600, 7200), "host.example",
          "its certificate is not valid yet, or the clock of this guest is behind");
  refused(stranger, "authority", "its certificate is not signed by one in server_ca");
}

TEST_CASE("old TLS, plain bytes and a host that hangs up get no token") {
  const Certificate authority("authority");
  SECTION("TLS 1.1") {
    Tls tls(authority, Certificate("host", "DNS:h", &authority), "h", TLS1_1_VERSION);
    CHECK_FALSE(tls.port->isReady());
    CHECK(tls.heard.empty());
  }
  SECTION("others") {
    Ends ends;
    auto port = makeTlsPort(std::move(ends.agent), "tls://host:1", kLogin, authority.pem(), "h");
    REQUIRE(port);
    (*port)->read();
    REQUIRE(::write(ends.host.get(), "HTTP/1.1 400 Bad Request\r\n\r\n", 28) == 28);
    (*port)->read();
    (*port)->read();
    CHECK_FALSE((*port)->isOpen());
    CHECK(readAll(ends.host.get()).find(kToken) == std::string::npos);
  }
}

TEST_CASE("what is needed to call is told before a byte is sent") {
  Tree tree;
  Config config;
  config.server = "tls://127.0.0.1:1";
  config.token_file = tree.root() + "/token";
  config.server_ca = tree.root() + "/ca.pem";
  config.vm_uuid = kVm;
  CHECK(callServer(config, tree.root()).error().find("/token: No such file") != std::string::npos);
  tree.write("token", kToken + "\n");
  REQUIRE(::chmod(config.token_file.c_str(), 0600) == 0);
  CHECK(callServer(config, tree.root()).error().find("/ca.pem: No such file") != std::string::npos);
  tree.write("ca.pem", "no certificate");
  CHECK(callServer(config, tree.root()).error() ==
        "tls://127.0.0.1:1: server_ca holds something else than certificates in PEM");
  config.vm_uuid.clear();
  CHECK(callServer(config, tree.root()).error().find("set vm_uuid") != std::string::npos);
  tree.write("sys/class/dmi/id/product_uuid", "AAAAAAAA-0000-4000-8000-000000000001\n");
  CHECK(vmUuid(config, tree.root()) == kVm);
  config.server = "tls://nowhere:1";
  CHECK(callServer(config, tree.root()).error().find("/etc/hosts") != std::string::npos);
}

/// A kernel without vsock's loopback (module vsock_loopback) has nobody to call: there the call
/// must come to nothing. The same conversation over a UNIX socket is tested above on every machine.
TEST_CASE("a call over vsock reaches who listens there, or comes to nothing") {
  Tree tree;
  tree.write("token", kToken);
  Config config;
  config.vm_uuid = kVm;
  config.token_file = tree.root() + "/token";
  REQUIRE(::chmod(config.token_file.c_str(), 0600) == 0);
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = VMADDR_CID_ANY;
  address.svm_port = VMADDR_PORT_ANY;
  socklen_t size = sizeof address;
  const Descriptor listener(::socket(AF_VSOCK, SOCK_STREAM, 0));
  const bool listens =
      listener && ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      ::listen(listener.get(), 1) == 0 &&
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0;
  config.server = "vsock://1:" + std::to_string(listens ? address.svm_port : 1024);
  const auto port = callServer(config, tree.root());
  pollfd watched{listener.get(), POLLIN, 0};
  if (!port || !listens || ::poll(&watched, 1, 500) != 1) {
    WARN("this kernel has no vsock loopback: the call was only begun");
    if (!port) CHECK(port.error().starts_with(config.server + ": "));
    if (port) CHECK_FALSE((*port)->isReady());
    return;
  }
  const Descriptor host(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK));
  (*port)->read();
  CHECK((*port)->isReady());
  CHECK((*port)->write("after") == 5);
  watched.fd = host.get();
  CHECK(::poll(&watched, 1, 10'000) == 1);
  CHECK(readAll(host.get()) == kLogin + "after");
}

}  // namespace
}  // namespace virtseer::agent

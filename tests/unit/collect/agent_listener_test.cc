#include "collect/agent_listener.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "collect/agent_tokens.h"
#include "support/certificates.h"
#include "unit/collect/bench.h"
#include "virtseer/echo/codec.h"

using namespace virtseer;
using namespace virtseer::collect;

namespace {

const std::string kToken = "0123456789abcdef0123456789abcdef";

std::string loginOf(Uuid vm, const std::string& token) {
  return echo::encode(echo::Login{vm.text(), token});
}

/// A client's end of a socket that does not block.
class Client {
 public:
  explicit Client(int fd) : fd_(fd) {}
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Client() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }
  void send(const std::string& bytes) const {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  /// What came; nothing further may come where `ended`.
  std::string read() {
    char buffer[4096];
    ssize_t size;
    std::string all;
    while ((size = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
      all.append(buffer, static_cast<std::size_t>(size));
    ended |= size == 0 || (size < 0 && errno != EAGAIN);
    return all;
  }
  bool ended = false;

 private:
  int fd_;
};

/// A listener on a UNIX socket, which stands for vsock, or on TLS over loopback.
struct Bench : LoopBench {
  ManualClock clock{kStart};
  std::filesystem::path folder;
  struct Taken {
    Uuid vm;
    std::unique_ptr<platform::Channel> channel;
    std::string address;
  };
  std::vector<Taken> taken;
  std::vector<Event> events;
  bool refuses = false;
  bool awaits_token = false;  ///< the VM's token comes after it
  std::unique_ptr<AgentListener> listener;

  Bench() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vs-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    folder = pattern;
    std::signal(SIGPIPE, SIG_IGN);  // as the daemon does
    putToken(kVm, kToken);
  }
  ~Bench() {
    taken.clear();
    bool ended = !listener;
    if (listener)
      tasks.spawn("stop", [](AgentListener& one, bool& done) -> asio::awaitable<void> {
        co_await one.stop();
        done = true;
      }(*listener, ended));
    CHECK(until([&] { return ended; }));
    listener.reset();
    std::filesystem::remove_all(folder);
    CHECK(failures.empty());
  }

  void putToken(Uuid vm, const std::string& token, mode_t mode = 0600) const {
    write(vm.text() + ".token", token + "\n", mode);
  }
  void write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    std::ofstream(folder / name) << text;
    REQUIRE(::chmod((folder / name).c_str(), mode) == 0);
  }

  AgentListener& make(AgentListenerOptions options = {}) {
    options.tokens = folder;
    listener = std::make_unique<AgentListener>(
        loop.get_executor(), clock, options,
        AgentListener::Callbacks{
            [this](Uuid vm, std::unique_ptr<platform::Channel> channel, std::string address) {
              if (refuses) return Result<void>(fail(Code::not_found, "the VM is not on this host"));
              taken.push_back({vm, std::move(channel), std::move(address)});
              return Result<void>{};
            },
            [this](Event event) { events.push_back(std::move(event)); },
            [this](Uuid vm) { return awaits_token && vm == kVm; }});
    return *listener;
  }
  void listenUnix(AgentListenerOptions options = {}) {
    sockaddr_un address = unixAddress();
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd, 100) == 0);
    make(std::move(options))
        .admit({AgentDoor::Kind::vsock, asio::posix::stream_descriptor(loop.get_executor(), fd)});
  }
  Client call() const {
    sockaddr_un address = unixAddress();
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return Client(fd);
  }
  bool untilEnded(Client& client) {
    return until([&] { return client.read(), client.ended; });
  }
  /// One read of the channel that was taken last.
  std::optional<Result<std::string>> readTaken() {
    std::optional<Result<std::string>> got;
    tasks.spawn("read",
                [](platform::Channel& channel,
                   std::optional<Result<std::string>>& out) -> asio::awaitable<void> {
                  out = co_await channel.read();
                }(*taken.back().channel, got));
    CHECK(until([&] { return got.has_value(); }));
    return got;
  }
  void writeTaken(const std::string& bytes) {
    bool done = false;
    tasks.spawn(
        "write",
        [](platform::Channel& channel, std::string what, bool& out) -> asio::awaitable<void> {
          CHECK(co_await channel.write(what));
          out = true;
        }(*taken.back().channel, bytes, done));
    CHECK(until([&] { return done; }));
  }

 private:
  sockaddr_un unixAddress() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = (folder / "door").string();
    REQUIRE(path.size() < sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    return address;
  }
};

}  // namespace

TEST_CASE("an agent that calls with its VM's token becomes a channel of that VM") {
  Bench bench;
  bench.listenUnix();
  Client client = bench.call();
  const std::string login = loginOf(kVm, kToken);
  client.send(login.substr(0, 7));
  bench.turn();
  client.send(login.substr(7));
  REQUIRE(bench.until([&] { return bench.taken.size() == 1; }));
  CHECK(bench.taken[0].vm == kVm);
  client.send("hello");
  CHECK(bench.readTaken()->value() == "hello");
  bench.writeTaken("greeting");
  CHECK(bench.until([&] { return client.read() == "greeting"; }));
  CHECK(bench.listener->counts().accepted == 1);
  CHECK(bench.listener->counts().clients == 1);
  bench.taken.clear();
  CHECK(bench.untilEnded(client));
  CHECK(bench.listener->counts().clients == 0);
}

TEST_CASE("a wrong token, another VM's, an unknown VM and an open file are denied and told once") {
  Bench bench;
  bench.listenUnix();
  bench.putToken(kOther, "fedcba9876543210fedcba9876543210", 0640);
  const std::string tries[] = {
      loginOf(kVm, "0123456789abcdef0123456789abcdeF"),
      loginOf(kVm, kToken + "0"),
      loginOf(kOther, "fedcba9876543210fedcba9876543210"),
      echo::encode(echo::Login{"../" + kVm.text(), kToken}),
  };
  for (const auto& login : tries) {
    Client client = bench.call();
    client.send(login);
    CHECK(bench.untilEnded(client));
  }
  CHECK(bench.taken.empty());
  CHECK(bench.listener->counts().denied == std::size(tries));
  REQUIRE(bench.events.size() == 1);
  CHECK(bench.events[0].kind == "agent.denied");
  CHECK(bench.events[0].entity == kVm);
  CHECK(bench.events[0].message.find(kToken.substr(0, 20)) == std::string::npos);
  bench.clock.advance(Millis(3'600'000));
  Client client = bench.call();
  client.send(loginOf(*Uuid::parse("bbbbbbbb-0000-4000-8000-000000000001"), kToken));
  CHECK(bench.untilEnded(client));
  REQUIRE(bench.events.size() == 2);
  CHECK_FALSE(bench.events[1].entity);
}

TEST_CASE("who calls before its token came after the VM does no wrong") {
  Bench bench;
  AgentListenerOptions options;
  options.limits.offences = 1;
  bench.listenUnix(options);
  bench.awaits_token = true;
  std::filesystem::remove(bench.folder / (kVm.text() + ".token"));
  for (int i = 0; i < 3; ++i) {
    Client client = bench.call();
    client.send(loginOf(kVm, "not here yet, not here yet"));
    CHECK(bench.untilEnded(client));
  }
  CHECK(bench.events.empty());
  CHECK(bench.listener->counts().failed == 3);
  CHECK(bench.listener->counts().denied == 0);
  bench.putToken(kVm, kToken);
  Client client = bench.call();
  client.send(loginOf(kVm, kToken));
  CHECK(bench.until([&] { return bench.taken.size() == 1; }));
  // Where there is one, a wrong one is wrong.
  Client wrong = bench.call();
  wrong.send(loginOf(kVm, "not here yet, not here yet"));
  CHECK(bench.untilEnded(wrong));
  CHECK(bench.listener->counts().denied == 1);
}

TEST_CASE("an address that guesses is turned away at once, and let in again later") {
  Bench bench;
  AgentListenerOptions options;
  options.limits.offences = 2;
  bench.listenUnix(options);
  for (int i = 0; i < 2; ++i) {
    Client client = bench.call();
    client.send(loginOf(kVm, "wrong wrong wrong"));
    CHECK(bench.untilEnded(client));
  }
  Client early = bench.call();
  CHECK(bench.untilEnded(early));
  CHECK(bench.listener->counts().turned_away == 1);
  bench.clock.advance(options.limits.forgiven);
  Client later = bench.call();
  later.send(loginOf(kVm, kToken));
  CHECK(bench.until([&] { return bench.taken.size() == 1; }));
}

TEST_CASE("a VM's token that cannot be read is no offence of its agent, and told") {
  Bench bench;
  AgentListenerOptions options;
  options.limits.offences = 1;
  bench.listenUnix(options);
  bench.putToken(kVm, kToken, 0640);
  for (int i = 0; i < 2; ++i) {
    Client client = bench.call();
    client.send(loginOf(kVm, kToken));
    CHECK(bench.untilEnded(client));
  }
  CHECK(bench.listener->counts().denied == 2);
  REQUIRE(bench.events.size() == 1);
  CHECK(bench.events[0].message.find("is open to others: chmod 600") != std::string::npos);
  bench.putToken(kVm, kToken);
  Client client = bench.call();
  client.send(loginOf(kVm, kToken));
  CHECK(bench.until([&] { return bench.taken.size() == 1; }));
}

TEST_CASE("who calls without pause is turned away, also with the right token") {
  Bench bench;
  AgentListenerOptions options;
  options.limits.calls = 3;
  options.limits.calls_per_second = 1;
  bench.listenUnix(options);
  for (std::size_t i = 1; i <= 3; ++i) {
    Client client = bench.call();
    client.send(loginOf(kVm, kToken));
    REQUIRE(bench.until([&] { return bench.taken.size() == i; }));
  }
  Client fourth = bench.call();
  CHECK(bench.untilEnded(fourth));
  CHECK(bench.listener->counts().turned_away == 1);
  bench.clock.advance(Millis(1000));
  Client later = bench.call();
  later.send(loginOf(kVm, kToken));
  CHECK(bench.until([&] { return bench.taken.size() == 4; }));
}

TEST_CASE("what does not begin with a login is closed, however it begins") {
  Bench bench;
  bench.listenUnix();
  const std::string openings[] = {
      std::string(5000, '\0'),
      "GET / HTTP/1.1\r\n\r\n" + std::string(2000, 'x'),
      echo::encode(echo::Hello{.agent_version = "1", .epoch = 1, .role = "lab", .sources = {}}),
      loginOf(kVm, kToken).substr(0, 13) + std::string(60, 'x'),
  };
  for (const auto& opening : openings) {
    Client client = bench.call();
    client.send(opening);
    CHECK(bench.untilEnded(client));
    bench.clock.advance(Millis(60'000));
  }
  CHECK(bench.listener->counts().failed == std::size(openings));
  CHECK(bench.taken.empty());
}

TEST_CASE("silent callers are closed after the deadline and hold no more places than they may") {
  Bench bench;
  AgentListenerOptions options;
  options.limits.pending_of_origin = 2;
  options.login_deadline = Millis(50);
  bench.listenUnix(options);
  Client first = bench.call(), second = bench.call(), third = bench.call();
  CHECK(bench.untilEnded(third));
  CHECK(bench.listener->counts().turned_away == 1);
  CHECK(bench.untilEnded(first));
  CHECK(bench.untilEnded(second));
  CHECK(bench.listener->counts().failed == 2);
  CHECK(bench.listener->counts().clients == 0);
}

TEST_CASE("a VM that is not served here is no offence") {
  Bench bench;
  AgentListenerOptions options;
  options.limits.offences = 1;
  bench.listenUnix(options);
  bench.refuses = true;
  for (int i = 0; i < 3; ++i) {
    Client client = bench.call();
    client.send(loginOf(kVm, kToken));
    CHECK(bench.untilEnded(client));
  }
  CHECK(bench.listener->counts().failed == 3);
  CHECK(bench.listener->counts().turned_away == 0);
}

TEST_CASE("over TLS an agent reaches its VM, and plain bytes reach nothing") {
  Bench bench;
  const test::Certificate own("host", "IP:127.0.0.1");
  bench.write("host.pem", own.pem());
  bench.write("host.key", own.key());
  auto identity = loadTlsIdentity(bench.folder / "host.pem", bench.folder / "host.key");
  REQUIRE(identity);
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
  auto server = tlsSocket(bench.loop.get_executor(), Descriptor(pair[0]), **identity);
  REQUIRE(server);
  Client client(pair[1]);
  std::optional<Result<std::string>> got;
  bench.tasks.spawn(
      "serve",
      [](AcceptedSocket& socket, std::optional<Result<std::string>>& out) -> asio::awaitable<void> {
        auto secured = co_await socket.secure();
        if (!secured) {
          out = fail(secured.error());
          co_return;
        }
        CHECK(co_await socket.write(std::string(300'000, 'w')));
        out = co_await socket.read();
      }(**server, got));
  SECTION("plain") {
    client.send("GET / HTTP/1.1\r\n\r\n");
    REQUIRE(bench.until([&] { return got.has_value(); }));
    CHECK(got->error().message.starts_with("the TLS handshake failed: "));
  }
  SECTION("TLS") {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(
        SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
    SSL_set_fd(ssl.get(), client.fd());
    REQUIRE(bench.until([&] { return SSL_connect(ssl.get()) == 1; }));
    std::string read;
    REQUIRE(bench.until([&] {
      char buffer[20'000];
      for (int size; (size = SSL_read(ssl.get(), buffer, sizeof buffer)) > 0;)
        read.append(buffer, static_cast<std::size_t>(size));
      return read.size() == 300'000;
    }));
    REQUIRE(SSL_write(ssl.get(), "hello", 5) == 5);
    REQUIRE(bench.until([&] { return got.has_value(); }));
    CHECK(got->value() == "hello");
  }
  (*server)->close();
}

TEST_CASE("a certificate without its key, or none, is said with the file") {
  Bench bench;
  const test::Certificate one("one"), other("other");
  bench.write("one.pem", one.pem());
  bench.write("other.key", other.key());
  const auto missing = loadTlsIdentity(bench.folder / "none.pem", bench.folder / "other.key");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message.find("none.pem: no certificate") != std::string::npos);
  const auto foreign = loadTlsIdentity(bench.folder / "one.pem", bench.folder / "other.key");
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().message.find("other.key: no key of") != std::string::npos);
  auto& listener = bench.make(
      {.tls = "127.0.0.1:1", .certificate = bench.folder / "one.pem", .key = {}, .tokens = {}});
  CHECK_FALSE(listener.start());
}

TEST_CASE("tokens are compared whole and read from files that only their owner may read") {
  CHECK(sameSecret(kToken, kToken));
  CHECK_FALSE(sameSecret(kToken, kToken + "0"));
  CHECK_FALSE(sameSecret(kToken, "X" + kToken.substr(1)));
  CHECK_FALSE(sameSecret(kToken, ""));
  Bench bench;
  CHECK(readAgentToken(bench.folder, kVm).value() == kToken);
  CHECK(readAgentToken(bench.folder, kOther).error().code == Code::not_found);
  bench.putToken(kOther, kToken, 0604);
  CHECK(readAgentToken(bench.folder, kOther).error().code == Code::refused);
  bench.putToken(kOther, "short");
  CHECK(readAgentToken(bench.folder, kOther).error().code == Code::invalid);
  std::filesystem::remove(bench.folder / (kOther.text() + ".token"));
  std::filesystem::create_symlink(bench.folder / (kVm.text() + ".token"),
                                  bench.folder / (kOther.text() + ".token"));
  CHECK_FALSE(readAgentToken(bench.folder, kOther));
}

TEST_CASE("a vsock port that cannot be had keeps nothing from starting, and is taken once it can") {
  constexpr std::uint32_t kPort = 58'687;
  Bench bench;
  // Where the kernel has no vsock at all, that is what is in the way.
  auto other = openVsockDoor(bench.loop.get_executor(), kPort);
  AgentListenerOptions options;
  options.vsock_port = kPort;
  options.vsock_retry = Millis(5);
  auto& listener = bench.make(options);
  REQUIRE(listener.start());
  REQUIRE(listener.faults().size() == 1);
  CHECK(listener.faults()[0].find("echo.listen_vsock 58687") == 0);
  if (!other) return;
  other->socket.close();
  CHECK(bench.until([&] { return listener.faults().empty(); }));
}

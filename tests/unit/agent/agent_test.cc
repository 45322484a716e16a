#include "agent/agent.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstring>

#include "tree.h"
#include "virtseer/echo/codec.h"

namespace virtseer::agent {
namespace {

/// The host's end of the agent's socket.
class Listener {
 public:
  explicit Listener(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd_.get(), 1) == 0);
  }

  void accept() {
    REQUIRE(readable(fd_.get()));
    peer_ = Descriptor(::accept(fd_.get(), nullptr, nullptr));
    REQUIRE(peer_);
    reader_ = {};
  }
  void send(const std::string& bytes) const {
    REQUIRE(::write(peer_.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  void hangUp() { peer_.reset(); }

  /// The body of the next frame of this type; others are skipped.
  std::string next(echo::FrameType type) {
    while (true) {
      while (const auto frame = reader_.next())
        if (frame->type == type) return std::string(frame->body);
      REQUIRE(readable(peer_.get()));
      char buffer[4096];
      const ssize_t size = ::read(peer_.get(), buffer, sizeof buffer);
      REQUIRE(size > 0);
      reader_.feed({buffer, static_cast<std::size_t>(size)});
    }
  }

 private:
  static bool readable(int fd) {
    pollfd watched{fd, POLLIN, 0};
    return ::poll(&watched, 1, 20'000) == 1;
  }

  Descriptor fd_;
  Descriptor peer_;
  echo::FrameReader reader_;
};

/// An agent in a process of its own, in a guest that is a directory.
class Process {
 public:
  Process(const Tree& tree, const std::string& socket, std::uint32_t interval_ms) {
    Agent::Options options{{}, tree.root(), tree.root() + "/data"};
    options.config.port = "unix:" + socket;
    options.config.interval_ms = interval_ms;
    pid_ = ::fork();
    if (pid_ == 0) ::_exit(Agent(options).run());
    REQUIRE(pid_ > 0);
  }
  ~Process() { stop(SIGKILL); }

  /// The exit code, or -1 where the signal ended it.
  int stop(int signal) {
    if (pid_ <= 0) return -1;
    ::kill(pid_, signal);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = 0;
};

void makeGuest(const Tree& tree, const char* role) {
  tree.write("proc/stat", "cpu0 1 2 3 4 5 6 7 8\nprocs_running 1\n");
  tree.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 600 kB\n");
  tree.write("proc/vmstat", "pgfault 5\npgmajfault 1\n");
  tree.write("sys/firmware/qemu_fw_cfg/by_name/opt/org.virtseer/role/raw", role);
}

TEST_CASE("an agent answers a greeting, sends echoes, comes back after a break and ends politely") {
  Tree tree;
  makeGuest(tree, "production");
  const std::string socket = tree.root() + "/port";
  Listener host(socket);
  Process agent(tree, socket, 200);

  host.accept();
  host.send(echo::encode(echo::Greeting{.nonce = 5, .settings = {}}));
  const auto hello = echo::decodeHello(host.next(echo::FrameType::hello)).value();
  CHECK(hello.nonce == 5);
  CHECK(hello.role == "production");
  CHECK(hello.interval_ms == 200);
  CHECK(hello.sources.at("cpu") == "on");
  CHECK(hello.sources.at("network") != "on");
  CHECK(echo::decodeCatalogue(host.next(echo::FrameType::catalogue))->columns[0].metric ==
        "echo_epoch");
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence)
    CHECK(echo::decodeEcho(host.next(echo::FrameType::echo))->sequence == sequence);
  host.send(echo::encode(echo::Ack{hello.epoch, 2}));

  host.hangUp();
  host.accept();
  host.send(echo::encode(echo::Greeting{
      .nonce = 6, .stored_epoch = hello.epoch, .stored_sequence = 2, .settings = {}}));
  CHECK(echo::decodeHello(host.next(echo::FrameType::hello))->first_sequence == 3);
  CHECK(echo::decodeEcho(host.next(echo::FrameType::echo))->sequence == 3);
  CHECK(agent.stop(SIGTERM) == 0);
}

TEST_CASE("an agent obeys settings, and refuses a load where it is in production") {
  Tree tree;
  makeGuest(tree, "production");
  const std::string socket = tree.root() + "/port";
  Listener host(socket);
  // At this interval nothing comes in time unless it is asked for.
  Process agent(tree, socket, 3'600'000);
  host.accept();
  host.send(echo::encode(echo::Greeting{.nonce = 5, .settings = {}}));
  CHECK(echo::decodeEcho(host.next(echo::FrameType::echo))->sequence == 1);
  host.send(echo::encode(echo::Settings{200, std::nullopt, std::nullopt}));
  for (std::uint64_t sequence = 2; sequence <= 4; ++sequence)
    CHECK(echo::decodeEcho(host.next(echo::FrameType::echo))->sequence == sequence);
  host.send(echo::encode(echo::Load{.id = 7, .cpu_cores = 0.1, .duration_ms = 1000}));
  const auto state = echo::decodeLoadState(host.next(echo::FrameType::load_state)).value();
  CHECK(state.id == 7);
  CHECK_FALSE(state.accepted);
}

TEST_CASE("a lab guest ticks and works, and its children end with it") {
  Tree tree;
  makeGuest(tree, "lab");
  tree.write("data/.keep", "");
  const std::string socket = tree.root() + "/port";
  Listener host(socket);
  Process agent(tree, socket, 200);
  host.accept();
  host.send(echo::encode(echo::Greeting{.nonce = 5, .settings = {}}));
  std::vector<echo::ColumnName> columns =
      echo::decodeCatalogue(host.next(echo::FrameType::catalogue))->columns;
  host.send(echo::encode(echo::Load{.id = 7, .cpu_cores = 0.1, .duration_ms = 60'000}));
  CHECK(echo::decodeLoadState(host.next(echo::FrameType::load_state))->accepted);

  const auto value = [&](const echo::Echo& echo, std::string_view metric) {
    for (std::size_t i = 0; i < columns.size() && i < echo.values.size(); ++i)
      if (columns[i].metric == metric) return echo.values[i];
    return -1.0;
  };
  bool ticked = false, written = false, worked = false;
  for (int i = 0; i < 50 && !(ticked && written && worked); ++i) {
    const auto echo = echo::decodeEcho(host.next(echo::FrameType::echo)).value();
    ticked |= value(echo, "guest_ticks_total") > 1;
    written |= value(echo, "guest_disk_ticks_total") > 0;
    worked |= value(echo, "guest_work_units_total") > 0;
  }
  CHECK(ticked);
  CHECK(written);
  CHECK(worked);
  CHECK(agent.stop(SIGTERM) == 0);
}

}  // namespace
}  // namespace virtseer::agent

/// What a daemon pays for many agents: so many of them, in a process of their own, echo over UNIX
/// sockets to the real links, sessions, and a store on a disk.
///
///   bench_agents [AGENTS] [SECONDS] [INTERVAL_MS]        1000 60 5000
///
/// Each echo has about 300 values, a third of which change, and a table of 12 processes; one in a
/// hundred tells of something that happened. Prints one JSON object; cpu_ratio is CPU seconds of
/// the daemon's side per second. Exit code 1 if that is over 5 % of a core.

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "agent/session.h"
#include "collect/agent_links.h"
#include "daemon/guest_tables.h"
#include "daemon/process.h"
#include "daemon/store_keeper.h"
#include "platform/fake_environment.h"

using namespace virtseer;
namespace asio = boost::asio;

namespace {

struct Wish {
  int agents = 1000;
  int seconds = 60;
  std::uint32_t interval_ms = 5000;
};

constexpr double kMostCpuRatio = 0.05;

std::int64_t monoMs() {
  return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// An agent's session on its end of a socket.
class Agent {
 public:
  Agent(int socket, std::uint64_t epoch, std::uint32_t interval_ms, std::int64_t first_ms)
      : socket_(socket),
        next_ms_(first_ms),
        interval_ms_(interval_ms),
        session_({.epoch = epoch, .version = "bench", .role = "", .interval_ms = interval_ms}) {
    for (int i = 0; i < 300; ++i)
      session_.columns().add(fmt::format("guest_bench_{}{}", i % 60, i % 3 == 0 ? "_total" : ""),
                             {{"device", fmt::format("{}", i / 60)}});
    values_.resize(session_.columns().size());
    report_.tables.push_back(
        {.name = "processes",
         .columns = {"pid", "command", "user", "state", "cpu_ratio", "memory_bytes",
                     "read_bytes_per_second", "write_bytes_per_second", "threads"},
         .cells = {}});
  }

  void receive() {
    char bytes[4096];
    for (ssize_t got; (got = ::read(socket_, bytes, sizeof bytes)) > 0;)
      session_.receive({bytes, static_cast<std::size_t>(got)});
    if (session_.takeFresh()) echo(monoMs());
    send();
  }
  std::int64_t next() const { return next_ms_; }
  void beat(std::int64_t now) {
    next_ms_ += interval_ms_;
    echo(now);
    send();
  }

 private:
  void echo(std::int64_t now) {
    ++round_;
    for (std::size_t i = 3; i < values_.size(); ++i)
      values_[i] =
          i % 3 == 0 ? static_cast<double>(round_ * i) + 0.25 : static_cast<double>(i * 4096);
    auto& cells = report_.tables[0].cells;
    cells.clear();
    for (int row = 0; row < 12; ++row) {
      const double n = row + static_cast<double>(round_ % 7);
      cells.insert(cells.end(), {100.0 + row, fmt::format("worker-{}", row), "www-data", "S",
                                 n / 128, n * 4096 * 97, n * 512, echo::Cell(), 4.0});
    }
    report_.happenings.clear();
    if (round_ % 100 == 0)
      report_.happenings.push_back({.kind = "guest.unit_failed",
                                    .severity = echo::HappeningSeverity::warning,
                                    .mono_ms = now,
                                    .message = "nginx.service failed"});
    session_.push(now, values_, report_);
  }
  void send() {
    while (true) {
      const auto bytes = session_.pending(monoMs());
      if (bytes.empty()) return;
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      session_.sent(static_cast<std::size_t>(sent));
    }
  }

  int socket_;
  std::int64_t next_ms_;
  std::uint32_t interval_ms_;
  std::uint64_t round_ = 0;
  agent::Session session_;
  std::vector<double> values_;
  echo::Report report_;
};

/// The guests' process: until it is killed.
[[noreturn]] void runAgents(const std::vector<int>& sockets, const Wish& wish) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<Agent> agents;
  agents.reserve(sockets.size());
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    const auto offset = static_cast<std::int64_t>(i * wish.interval_ms / sockets.size());
    agents.emplace_back(sockets[i], i + 1, wish.interval_ms, monoMs() + offset);
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, sockets[i], &event);
  }
  std::size_t turn = 0;  // beats follow each other in the agents' order
  for (;;) {
    epoll_event events[64];
    const auto left = std::clamp<std::int64_t>(agents[turn].next() - monoMs(), 0, 1000);
    const int count = ::epoll_wait(poll, events, 64, static_cast<int>(left));
    for (int i = 0; i < count; ++i) agents[events[i].data.u64].receive();
    while (agents[turn].next() <= monoMs()) {
      agents[turn].beat(monoMs());
      turn = (turn + 1) % agents.size();
    }
  }
}

/// The host's end of a VM's socket.
class SocketChannel final : public platform::Channel {
 public:
  SocketChannel(const asio::any_io_executor& loop, int socket)
      : socket_(loop, asio::local::stream_protocol(), socket) {}

  asio::awaitable<Result<std::string>> read() override {
    std::string bytes(64 * 1024, '\0');
    boost::system::error_code error;
    const auto got = co_await socket_.async_read_some(
        asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return fail(Code::unreachable, error.message());
    bytes.resize(got);
    co_return bytes;
  }
  asio::awaitable<Result<void>> write(std::string bytes) override {
    boost::system::error_code error;
    co_await asio::async_write(socket_, asio::buffer(bytes),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return fail(Code::unreachable, error.message());
    co_return Result<void>{};
  }
  void close() override {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 private:
  asio::local::stream_protocol::socket socket_;
};

/// An environment whose VMs are sockets; for all else a fake.
class SocketEnvironment final : public platform::Environment {
 public:
  SocketEnvironment(const asio::any_io_executor& loop, const std::vector<int>& sockets)
      : loop_(loop), fake_(loop) {
    for (std::size_t i = 0; i < sockets.size(); ++i) {
      Vm vm;
      vm.uuid.bytes.fill(0x42);
      vm.uuid.bytes[14] = static_cast<std::uint8_t>(i >> 8);
      vm.uuid.bytes[15] = static_cast<std::uint8_t>(i);
      vm.name = fmt::format("bench-{}", i);
      vm.state = VmState::running;
      vm.has_channel = true;
      sockets_[vm.uuid] = sockets[i];
      vms_.push_back(std::move(vm));
    }
  }
  const std::vector<Vm>& known() const { return vms_; }

  asio::awaitable<void> run() override { return fake_.run(); }
  void onNotice(std::function<void(const platform::Notice&)> receiver) override {
    fake_.onNotice(std::move(receiver));
  }
  Status status() const override { return fake_.status(); }
  platform::Capabilities capabilities() const override { return fake_.capabilities(); }
  std::optional<std::chrono::steady_clock::time_point> eventThreadTick() const override {
    return std::nullopt;
  }
  asio::awaitable<Result<std::vector<Vm>>> vms() override { co_return vms_; }
  asio::awaitable<Result<std::vector<platform::VmStatistics>>> statistics() override {
    return fake_.statistics();
  }
  asio::awaitable<Result<platform::HostFacts>> hostFacts() override { return fake_.hostFacts(); }
  asio::awaitable<Result<std::unique_ptr<platform::Channel>>> openChannel(Uuid vm,
                                                                          std::string) override {
    const auto found = sockets_.find(vm);
    if (found == sockets_.end()) co_return fail(Code::unreachable, "its socket was used already");
    const int socket = found->second;
    sockets_.erase(found);
    co_return std::make_unique<SocketChannel>(loop_, socket);
  }
  asio::awaitable<Result<void>> setBalloonPeriod(Uuid vm, std::chrono::seconds period) override {
    return fake_.setBalloonPeriod(vm, period);
  }
  platform::Actions& actions() override { return fake_.actions(); }

 private:
  asio::any_io_executor loop_;
  platform::FakeEnvironment fake_;
  std::vector<Vm> vms_;
  std::map<Uuid, int> sockets_;
};

/// The daemon's side: links over a store on a disk, wired as the service does.
struct Host {
  asio::io_context io;
  SystemClock clock;
  daemon::StoreKeeper store;
  collect::RowSink rows;
  daemon::GuestTables tables;
  SocketEnvironment environment;
  collect::AgentLinks links;
  TaskGroup tasks;

  Host(const std::filesystem::path& folder, const std::vector<int>& sockets, const Wish& wish)
      : store(io.get_executor(), clock, {.directory = folder / "store"}, {},
              {.gathered = [this] { links.commitTaken(); },
               .written = [this] { links.committed(); },
               .swapped = [] {},
               .event = [](Event event) { fmt::print(stderr, "{}\n", event.message); }}),
        rows(collect::sinkInto([this]() -> store::SeriesStore& {
          store.touched();
          return store.series();
        })),
        tables([this](Uuid vm, Timestamp time, std::vector<echo::Table> told) {
          store.tables().append(vm, time, std::move(told));
        }),
        environment(io.get_executor(), sockets),
        links(
            io.get_executor(), clock,
            {.limits = {},
             .settings = {.interval_ms = wish.interval_ms, .top_processes = 12, .collectors = {}}},
            rows, collect::positionIn([this]() -> store::SeriesStore& { return store.series(); }),
            [this](Event event) { store.events().append(std::move(event)); },
            {.room = [this](std::size_t count) { return store.roomForEvents(count); },
             .happened =
                 [this](Event event) {
                   store.events().append(std::move(event));
                   store.touched();
                 },
             .tables =
                 [this](Uuid vm, Timestamp time, std::vector<echo::Table> told) {
                   tables.take(vm, time, std::move(told));
                 },
             .told = [this](Uuid vm) { return store.told(vm); }}),
        tasks(io.get_executor(), [](const std::string& name, const std::string& what) {
          fmt::print(stderr, "{}: {}\n", name, what);
        }) {}

  void turn(Millis span) {
    if (io.stopped()) io.restart();
    io.run_for(span);
  }
};

int measure(Host& host, const Wish& wish) {
  host.tasks.spawn("open", host.store.open());
  while (host.tasks.size() > 0) host.turn(Millis(20));
  host.tasks.spawn("store", host.store.run());
  host.links.setVms(host.environment, host.environment.known());
  const auto deadline = monoMs() + 120'000;
  const auto all = static_cast<std::uint64_t>(wish.agents);
  while (host.links.totals().connected < all && monoMs() < deadline) host.turn(Millis(100));
  host.turn(Millis(2 * wish.interval_ms));
  const auto before = host.links.totals();
  const double cpu_before = daemon::processCpuSeconds();
  const auto begun = monoMs();
  while (monoMs() < begun + wish.seconds * 1000) host.turn(Millis(1000));
  const double seconds = static_cast<double>(monoMs() - begun) / 1000;
  const double cpu = daemon::processCpuSeconds() - cpu_before;
  const auto after = host.links.totals();
  fmt::print(
      "{{\"agents\": {}, \"connected\": {}, \"seconds\": {:.1f}, \"cpu_seconds\": {:.3f}, "
      "\"cpu_ratio\": {:.4f}, \"rss_bytes\": {}, \"echoes\": {}, \"us_per_echo\": {:.1f}, "
      "\"happenings\": {}, \"lost\": {}, \"faults\": {}, \"tables_dropped\": {}}}\n",
      wish.agents, after.connected, seconds, cpu, cpu / seconds, daemon::processRssBytes(),
      after.echoes - before.echoes,
      cpu * 1e6 / static_cast<double>(std::max<std::uint64_t>(1, after.echoes - before.echoes)),
      after.happenings - before.happenings, after.lost, after.faults,
      host.store.tables().dropped());
  return after.connected == all && cpu / seconds <= kMostCpuRatio ? 0 : 1;
}

asio::awaitable<void> endLinks(Host& host) {
  co_await host.links.stop();
  host.store.stop();
}

int run(const Wish& wish) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  std::vector<int> hosts, guests;
  for (int i = 0; i < wish.agents; ++i) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
      std::perror("socketpair");
      return 1;
    }
    hosts.push_back(ends[0]);
    guests.push_back(ends[1]);
  }
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int socket : hosts) ::close(socket);
    runAgents(guests, wish);
  }
  for (const int socket : guests) ::close(socket);
  std::string folder = (std::filesystem::temp_directory_path() / "virtseer-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  int outcome = 1;
  {
    Host host(folder, hosts, wish);
    outcome = measure(host, wish);
    host.tasks.spawn("end", endLinks(host));
    while (host.tasks.size() > 0) host.turn(Millis(20));
    host.store.close();
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  std::filesystem::remove_all(folder);
  return outcome;
}

}  // namespace

int main(int argc, char** argv) {
  Wish wish;
  if (argc > 1) wish.agents = std::atoi(argv[1]);
  if (argc > 2) wish.seconds = std::atoi(argv[2]);
  if (argc > 3) wish.interval_ms = static_cast<std::uint32_t>(std::atoi(argv[3]));
  if (wish.agents < 1 || wish.agents > 65535 || wish.seconds < 1 || wish.interval_ms < 200) {
    fmt::print(stderr, "usage: bench_agents [AGENTS] [SECONDS] [INTERVAL_MS]\n");
    return 2;
  }
  return run(wish);
}

#pragma once

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/foresight.h"

namespace virtseer::daemon::test {

namespace asio = boost::asio;

constexpr std::uint64_t kGiB = 1ULL << 30;

inline Uuid number(std::uint8_t kind, std::uint8_t n) {
  Uuid out;
  out.bytes[0] = kind;
  out.bytes[15] = n;
  return out;
}

/// libvirt as far as foresight asks it.
class FactsOnly final : public platform::Actions {
 public:
  template <class T = void>
  using Answer = asio::awaitable<Result<T>>;

  std::vector<PlacedVm> vms;
  HostState host_state;
  bool silent = false;
  int asked = 0;

  Answer<std::vector<PlacedVm>> placed() override {
    ++asked;
    if (silent) co_return fail(Code::timeout, "libvirt does not answer");
    co_return vms;
  }
  Answer<HostState> host() override { co_return host_state; }

  Answer<Presence> presence(Uuid) override { return no<Presence>(); }
  Answer<platform::VmDefinition> definition(Uuid) override { return no<platform::VmDefinition>(); }
  Answer<platform::Admission> admits(std::string, bool, std::vector<DiskCopy>) override {
    return no<platform::Admission>();
  }
  Answer<platform::MigrateEnd> migrate(platform::MigrateOrder) override {
    return no<platform::MigrateEnd>();
  }
  Answer<MigrationProgress> progress(Uuid) override { return no<MigrationProgress>(); }
  Answer<> abortJob(Uuid) override { return no(); }
  Answer<> setAutostart(Uuid, bool) override { return no(); }
  Answer<> removeManagedSave(Uuid) override { return no(); }
  Answer<> suspend(Uuid) override { return no(); }
  Answer<> resume(Uuid) override { return no(); }
  Answer<> start(Uuid, std::string) override { return no(); }
  Answer<> destroy(Uuid) override { return no(); }
  Answer<> define(std::string) override { return no(); }
  Answer<> undefine(Uuid) override { return no(); }
  Answer<> setAside(std::string, std::string) override { return no(); }
  Answer<> deleteVolume(std::string) override { return no(); }
  Answer<EnrollFacts> enrollFacts(Uuid) override { return no<EnrollFacts>(); }
  Answer<> setEchoChannel(Uuid, bool, Affects) override { return no(); }
  Answer<> setBalloonPeriod(Uuid, std::chrono::seconds, Affects) override { return no(); }

 private:
  template <class T = void>
  static Answer<T> no() {
    co_return fail(Code::unsupported, "not here");
  }
};

/// One host with VMs whose demand the test says, second by second, and peers as the test sets them.
/// What VMs want beyond the capacity they wait for.
class World {
 public:
  struct Guest {
    Vm vm;
    std::function<double(double)> wants;  ///< cores at second t of the world
    double used = 0, waited = 0;          ///< counters
  };

  explicit World(double capacity = 4) {
    config.forecast.step = Millis(1000);
    config.forecast.horizons = {Millis(60'000), Millis(240'000)};
    config.plan.round = config.libvirt.interval = config.echo.interval = Millis(1000);
    host.uuid = number(0xA0, 1);
    host.name = "one";
    host.cpus_online = 8;
    host.capacity = {capacity, 64 * kGiB, "configuration"};
    actions.host_state.networks = {"default"};
    actions.host_state.disk_locks = true;
    actions.host_state.storage = {{"nfs", true, 100 * kGiB}};
  }

  void addVm(std::uint8_t n, std::string name, std::function<double(double)> wants,
             std::uint32_t vcpus = 4) {
    Vm vm;
    vm.uuid = number(0xB0, n);
    vm.name = std::move(name);
    vm.state = VmState::running;
    vm.vcpus = vcpus;
    vm.memory_bytes = 2 * kGiB;
    guests.push_back({vm, std::move(wants)});
    PlacedVm placed;
    placed.uuid = vm.uuid;
    placed.memory_bytes = 2 * kGiB;
    placed.disks = {{"nfs", 10 * kGiB}};
    placed.networks = {"default"};
    placed.dirty_bytes_per_s = 1e6;
    actions.vms.push_back(placed);
  }

  /// A peer that answers, with `cpus` cores and no VMs.
  void addPeer(std::uint8_t n, std::string name, double cpus) {
    fleet::PeerState peer;
    peer.name = name;
    peer.answers = true;
    peer.state.emplace();
    auto& state = peer.state->host;
    state = actions.host_state;
    state.uuid = number(0xA0, n);
    state.name = std::move(name);
    state.capacity = {cpus, 64 * kGiB, "configuration"};
    state.cpus_online = 8;
    peer.host = state.uuid;
    peers.push_back(std::move(peer));
  }

  void begin() {
    foresight.reset();
    foresight = std::make_unique<Foresight>(loop.get_executor(), clock, config, context());
  }

  /// Seconds, each with a row of every VM; `after` may look and returns false to end early.
  void live(int seconds, const std::function<bool()>& after = [] { return true; }) {
    for (int i = 0; i < seconds; ++i) {
      clock.advance(Millis(1000));
      ++now;
      tick();
      if (foresight) run(foresight->round());
      if (!after()) return;
    }
  }

  void run(asio::awaitable<void> task) {
    asio::co_spawn(loop, std::move(task), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
    loop.restart();
    loop.run();
  }
  template <class T>
  T get(asio::awaitable<T> task) {
    std::optional<T> out;
    asio::co_spawn(loop, std::move(task),
                   [&](std::exception_ptr, T value) { out = std::move(value); });
    loop.restart();
    loop.run();
    return std::move(*out);
  }

  const PlanStep* step(StepState state) const {
    if (!plan_copy_) return nullptr;
    for (const auto& step : plan_copy_->steps)
      if (step.state == state) return &step;
    return nullptr;
  }
  /// The newest plan's first step of this state; null if there is none.
  const PlanStep* stepNow(StepState state) {
    plan_copy_ = foresight->plan();
    return step(state);
  }
  std::size_t count(std::string_view kind) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(events, [&](const Event& event) { return event.kind == kind; }));
  }
  const Event& event(std::string_view kind) const {
    const auto found =
        std::ranges::find_if(events, [&](const Event& one) { return one.kind == kind; });
    REQUIRE(found != events.end());
    return *found;
  }

  asio::io_context loop;
  ManualClock clock{Timestamp(Millis(1'800'000'000'000))};
  int now = 0;  ///< seconds since the world began
  Config config;
  Host host;
  FactsOnly actions;
  std::vector<Guest> guests;
  std::vector<fleet::PeerState> peers;
  std::unique_ptr<store::Store> store = store::memoryStore(5000);
  std::vector<PlanStep> carried;
  std::vector<Event> events;
  std::vector<Flight> flights;
  std::vector<Reservation> reservations;
  bool maintenance = false;
  PolicyConfiguration policy;
  std::unique_ptr<Foresight> foresight;

 private:
  void tick() {
    double wanted = 0;
    for (const auto& guest : guests) wanted += guest.wants(now);
    const double share = std::min(1.0, host.capacity.cpus / std::max(wanted, 1e-9));
    for (auto& guest : guests) {
      const double wants = guest.wants(now);
      guest.used += wants * share;
      guest.waited += wants * (1 - share);
      append(guest);
    }
    for (auto& peer : peers)
      if (peer.answers && peer.state) peer.state->host.as_of = clock.wall();
  }
  void append(const Guest& guest) {
    static const std::vector<SeriesName> kNames{
        {"libvirt_domain_info_cpu_time_seconds_total", {}, Kind::counter},
        {"libvirt_domain_vcpu_delay_seconds_total", {{"vcpu", "0"}}, Kind::counter},
        {"libvirt_domain_vcpu_delay_seconds_total", {{"vcpu", "1"}}, Kind::counter}};
    const StreamId stream{guest.vm.uuid, Source::libvirt};
    const auto columns = store->series().declare(stream, kNames);
    store->series().append(
        stream, {clock.wall(), *columns, {guest.used, guest.waited / 2, guest.waited / 2}});
  }

  ForesightContext context() {
    return {.host = [this] { return host; },
            .vms =
                [this] {
                  std::vector<Vm> out;
                  for (const auto& guest : guests) out.push_back(guest.vm);
                  return out;
                },
            .series = [this]() -> store::SeriesStore& { return store->series(); },
            .settings = [this]() -> store::Settings& { return store->settings(); },
            .read = [](std::function<Result<void>()> job) -> asio::awaitable<Result<void>> {
              co_return job();
            },
            .actions = [this]() -> platform::Actions* { return &actions; },
            .peers = [this] { return peers; },
            .flights = [this] { return flights; },
            .reservations = [this] { return reservations; },
            .moves = [](const Uuid&) { return std::vector<PastMove>{}; },
            .maintenance = [this] { return maintenance; },
            .policy = [this] { return policy; },
            .carry_out = [this](const PlanStep& step) { carried.push_back(step); },
            .report = [this](Event event) { events.push_back(std::move(event)); }};
  }

  std::optional<Plan> plan_copy_;
};

/// Rises by `per_minute` cores from second `from` on, up to `most`.
inline std::function<double(double)> ramp(double level, double from, double per_minute,
                                          double most) {
  return [=](double t) {
    const double noise = 0.03 * std::sin(t * 1.7) + 0.02 * std::sin(t * 0.37);
    return std::clamp(level + std::max(0.0, t - from) * per_minute / 60, 0.0, most) + noise;
  };
}

inline std::function<double(double)> steady(double level) {
  return [=](double t) { return level + 0.03 * std::sin(t * 2.3) + 0.02 * std::sin(t * 0.11); };
}

}  // namespace virtseer::daemon::test

#include "daemon/service.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>
#include <set>
#include <vector>

#include "api/server.h"
#include "base/log.h"
#include "base/task_group.h"
#include "collect/agent_links.h"
#include "collect/agent_listener.h"
#include "collect/host_collector.h"
#include "daemon/backend.h"
#include "daemon/check_up.h"
#include "daemon/collection.h"
#include "daemon/decisions.h"
#include "daemon/guest_tables.h"
#include "daemon/identity.h"
#include "daemon/inventory.h"
#include "daemon/loop_lag.h"
#include "daemon/notify.h"
#include "daemon/place.h"
#include "daemon/service_options.h"
#include "daemon/store_keeper.h"
#include "platform/libvirt.h"

namespace virtseer::daemon {

namespace asio = boost::asio;

namespace {

constexpr Millis kLoadDeadline{10'000};
constexpr Millis kServerPatience{5'000};
constexpr Millis kFilesDeadline{3'000};  // a peer that asks waits for five seconds
constexpr Millis kFactsRetry{2'000};
constexpr Millis kFactsRetryMost{60'000};
constexpr Millis kWatchdogBlind{
    20'000};  ///< the event thread turns once a second; this long is dead

asio::awaitable<void> pause(Millis span) {
  asio::steady_timer timer(co_await asio::this_coro::executor, span);
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace

/// Made in the order of their declaration, destroyed the other way round.
struct Service::Parts {
  Parts(asio::any_io_executor executor, const Clock& the_clock, Config the_config)
      : loop(executor),
        clock(the_clock),
        config(std::move(the_config)),
        store(loop, clock,
              {.directory = config.state.directory / "store",
               .rows_per_chunk = config.store.rows_per_chunk,
               .max_unwritten_bytes = config.store.max_unwritten_bytes,
               .cache_bytes = config.store.cache_bytes},
              {.sync = config.store.sync, .tables_keep = config.store.tables_keep},
              {.gathered = [this] { links.commitTaken(); },
               .written = [this] { links.committed(); },
               .swapped = [this] { storeSwapped(); },
               .event = [this](Event event) { report(std::move(event)); }}),
        rows(collect::sinkInto([this]() -> store::SeriesStore& {
          store.touched();
          return store.series();
        })),
        collection(agentSettings(config)),
        guest_tables([this](Uuid vm, Timestamp time, std::vector<echo::Table> tables) {
          store.tables().append(vm, time, std::move(tables));
        }),
        links(
            loop, clock, agentLinks(), rows,
            collect::positionIn([this]() -> store::SeriesStore& { return store.series(); }),
            [this](Event event) { report(std::move(event)); }, guestReports()),
        files(loop, "vs-files", {.threads = 1, .queue = 16, .abandoned = 1}),
        backend(clock, inventory, store, backendParts(), usageWindow(config)),
        tasks(loop,
              [this](const std::string& name, const std::string& what) {
                report({.time = clock.wall(),
                        .severity = Severity::error,
                        .kind = "daemon.failed",
                        .entity = {},
                        .message = name + " ended: " + what,
                        .fields = {}});
                stop(name + " ended");
              }),
        stopped(loop, asio::steady_timer::time_point::max()) {}

  daemon::Parts backendParts();
  collect::AgentLinksOptions agentLinks();
  collect::ReportSink guestReports();
  void listed(platform::Environment& environment, const std::string& uri,
              const std::vector<Vm>& vms);
  Result<void> listenToAgents();
  /// Settings of this host that cannot be followed now.
  std::vector<std::string> hostFaults() const;
  asio::awaitable<CheckUp> gatherCheckUp();
  void makeDecisions(std::vector<fleet::PeerOptions> peers);
  void report(Event event);
  void storeSwapped();
  void addEnvironment(const std::string& uri);
  void startHost();
  void stop(const std::string& reason);

  asio::awaitable<void> learnHost(platform::Environment& environment);
  asio::awaitable<void> feedWatchdog(Millis interval);
  asio::awaitable<Result<void>> begin();
  asio::awaitable<void> end();

  asio::any_io_executor loop;
  const Clock& clock;
  const Config config;
  Inventory inventory;
  StoreKeeper store;
  const collect::RowSink rows;
  Collection collection;
  GuestTables guest_tables;
  collect::AgentLinks links;
  std::unique_ptr<collect::AgentListener> listener;  ///< where agents may call
  BlockingPool files;
  LoopLag lag;
  std::vector<Place> places;
  std::unique_ptr<collect::HostCollector> host;
  std::unique_ptr<TaskGroup> host_tasks;  ///< begun anew when the host's identity changes
  std::vector<std::string> host_faults;
  std::vector<std::pair<std::unique_ptr<collect::HostCollector>, std::unique_ptr<TaskGroup>>>
      retired;
  DaemonBackend backend;
  std::unique_ptr<DaemonDecisions> decisions;
  std::unique_ptr<api::Server> server;
  TaskGroup tasks;
  asio::steady_timer stopped;
  std::string stop_reason;
};

daemon::Parts Service::Parts::backendParts() {
  return {
      .agent = [this](Uuid vm) { return links.view(vm); },
      .agents = [this] { return links.totals(); },
      .calls = [this] { return listener ? listener->counts() : collect::CallCounts{}; },
      .collected =
          [this] {
            collect::CollectCounts counts;
            for (const auto& place : places) counts += place.collector->counts();
            if (host) counts += host->counts();
            return counts;
          },
      .timed_out =
          [this](Uuid vm) {
            return std::any_of(places.begin(), places.end(),
                               [&](const Place& place) { return place.collector->timedOut(vm); });
          },
      .environments =
          [this] {
            std::vector<api::EnvironmentHealth> out;
            for (const auto& place : places) {
              const auto status = place.environment->status();
              out.push_back({status.uri, status.connected, status.error, status.since,
                             status.reconnects, status.calls_timed_out, status.calls_stuck});
            }
            return out;
          },
      .load = [this](Uuid vm, api::LoadOrder order) -> asio::awaitable<Result<std::uint64_t>> {
        return links.load(vm,
                          {.cpu_cores = order.cpu_cores,
                           .memory_bytes = order.memory_bytes,
                           .disk_bytes_per_second = order.disk_bytes_per_second,
                           .ramp_ms = static_cast<std::uint32_t>(order.ramp.count()),
                           .duration_ms = static_cast<std::uint32_t>(order.duration.count())},
                          kLoadDeadline);
      },
      .host_faults = [this] { return hostFaults(); },
      .worst_loop_lag_seconds = [this] { return lag.worst(); },
      .requests_refused = [this] { return server ? server->counts().refused : 0; },
      .peers =
          [this] { return decisions ? decisions->peerStates() : std::vector<fleet::PeerState>(); },
      .duplicates =
          [this] { return decisions ? decisions->duplicates() : std::vector<Duplicate>(); },
      .maintenance = [this] { return decisions && decisions->maintenance(); },
      .automation = [this] { return !decisions || decisions->automation().on; },
      .operations =
          [this] {
            constexpr std::size_t kMost = 1000;
            if (!decisions) return std::vector<Operation>();
            return decisions->operations({.active = false, .vm = {}, .limit = kMost})
                .value_or(std::vector<Operation>());
          },
      .instruct = [this](Uuid vm) { return links.instruct(vm); },
      .report = [this](Event event) { report(std::move(event)); },
      .tables = &guest_tables,
      .collection = &collection,
      .longest_interval = config.peers.empty() ? std::optional<Millis>()
                                               : std::optional(config.migration.echo_back / 3),
      .guest = [this](Uuid vm) { return guestOf(places, vm); },
  };
}

asio::awaitable<CheckUp> Service::Parts::gatherCheckUp() {
  std::vector<platform::Environment*> environments;
  for (const auto& place : places) environments.push_back(place.environment.get());
  co_return co_await checkUp({.clock = clock,
                              .config = config,
                              .backend = backend,
                              .host = inventory.host(),
                              .environments = std::move(environments),
                              .host_faults = hostFaults(),
                              .peers = decisions->peerStates(),
                              .duplicates = decisions->duplicates(),
                              .guest = [this](Uuid vm) { return guestOf(places, vm); }});
}

collect::AgentLinksOptions Service::Parts::agentLinks() {
  auto options = linkOptions(config);
  options.instructions = [this](Uuid vm) { return collection.inForce(vm); };
  return options;
}

/// A guest's happenings are no matter of this host's log, or a guest could fill it.
collect::ReportSink Service::Parts::guestReports() {
  return {.room = [this](std::size_t count) { return store.roomForEvents(count); },
          .happened =
              [this](Event event) {
                store.events().append(std::move(event));
                store.touched();
              },
          .tables =
              [this](Uuid vm, Timestamp time, std::vector<echo::Table> tables) {
                guest_tables.take(vm, time, std::move(tables));
              },
          .told = [this](Uuid vm) { return store.told(vm); }};
}

void Service::Parts::listed(platform::Environment& environment, const std::string& uri,
                            const std::vector<Vm>& vms) {
  inventory.setVms(uri, vms);
  links.setVms(environment, vms);
  std::set<Uuid> present;
  for (const auto& [uuid, vm] : inventory.present()) present.insert(uuid);
  guest_tables.keepOnly(present);
  for (auto& place : places)
    if (place.environment.get() == &environment) place.listed(vms);
  store.touched();
}

void Service::Parts::report(Event event) {
  const Level level = event.severity == Severity::error     ? Level::error
                      : event.severity == Severity::warning ? Level::warning
                                                            : Level::info;
  if (event.entity)
    log(level, event.message, {{"EVENT", event.kind}, {"ENTITY", event.entity->text()}});
  else
    log(level, event.message, {{"EVENT", event.kind}});
  store.events().append(std::move(event));
  store.touched();
}

void Service::Parts::storeSwapped() {
  inventory.remember(store.settings());
  collection.remember(store.settings());
  guest_tables.storeSwapped();
  for (const auto& place : places) place.collector->storeSwapped();
  if (host) host->storeSwapped();
  links.storeSwapped();
  backend.storeSwapped();
  if (decisions) decisions->storeSwapped();
}

std::vector<std::string> Service::Parts::hostFaults() const {
  auto out = host_faults;
  if (listener) std::ranges::move(listener->faults(), std::back_inserter(out));
  return out;
}

Result<void> Service::Parts::listenToAgents() {
  if (!listensToAgents(config)) return {};
  listener = std::make_unique<collect::AgentListener>(
      loop, clock, listenerOptions(config),
      collect::AgentListener::Callbacks{
          .offer =
              [this](Uuid vm, std::unique_ptr<platform::Channel> channel, std::string caller) {
                return links.offer(vm, std::move(channel), std::move(caller));
              },
          .report = [this](Event event) { report(std::move(event)); },
          .awaits_token = [this](Uuid vm) { return decisions && decisions->awaitsToken(vm); }});
  return listener->start();
}

void Service::Parts::makeDecisions(std::vector<fleet::PeerOptions> peers) {
  decisions = std::make_unique<DaemonDecisions>(
      loop, clock, config, inventory, store, *places.front().environment, std::move(peers),
      DaemonDecisions::Parts{
          .wellbeing = [this](const Uuid& vm) { return backend.wellbeing(vm); },
          .report = [this](Event event) { report(std::move(event)); },
          .failed = [this](const std::string& name,
                           const std::string& what) { stop(name + " ended: " + what); },
          .dirty_rate = [this](const Uuid& vm) { return places.front().dirty_rates->of(vm); },
          .environment = [this](const std::string& uri) { return environmentOf(places, uri); },
          .check_up = [this] { return gatherCheckUp(); },
          .end_call = [this](const Uuid& vm) { links.endCall(vm); },
          .files =
              [this](std::function<Result<bool>()> job) {
                return files.run("tokens of guests", kFilesDeadline, std::move(job));
              }});
  decisions->storeSwapped();
}

void Service::Parts::addEnvironment(const std::string& uri) {
  Place place;
  place.environment =
      platform::libvirtEnvironment(loop, {.uri = uri,
                                          .call_deadline = config.libvirt.call_deadline,
                                          .clock = &clock,
                                          .disk_locks = diskLocks(config)});
  auto& environment = *place.environment;
  place.collector = std::make_unique<collect::LibvirtCollector>(
      loop, clock, environment,
      collect::LibvirtCollectorOptions{.interval = config.libvirt.interval,
                                       .balloon_period_s = config.libvirt.balloon_period_s},
      rows,
      collect::LibvirtCollectorCallbacks{
          .report = [this](Event event) { report(std::move(event)); },
          .listed = [this, &environment,
                     uri](const std::vector<Vm>& vms) { listed(environment, uri, vms); },
          .running = [this](Uuid vm) { links.nudge(vm); },
          .notice =
              [this, &environment](const platform::Notice& notice) {
                if (notice.kind == platform::Notice::Kind::connected)
                  tasks.spawn("host facts", learnHost(environment));
                // Only the first environment's VMs are planned for and moved.
                if (&environment == places.front().environment.get()) decisions->notice(notice);
              }});
  place.addWatchers(clock, config);
  places.push_back(std::move(place));
}

/// The first environment of the configuration says who this host is. A libvirt that has just
/// started probes its emulators first, which may take longer than one deadline.
asio::awaitable<void> Service::Parts::learnHost(platform::Environment& environment) {
  if (&environment != places.front().environment.get()) co_return;
  for (Millis wait = kFactsRetry;; wait = std::min(2 * wait, kFactsRetryMost)) {
    const auto facts = co_await environment.hostFacts();
    if (facts) {
      Host known = inventory.host();
      const bool other = adopt(known, *facts, store.settings(), config.host.name);
      inventory.setHost(known);
      store.touched();
      if (other) startHost();
      co_return;
    }
    // A connection that ended asks again when it is back.
    if (!environment.status().connected) co_return;
    log(Level::warning, facts.error().in("who this host is is not known yet").message);
    co_await pause(wait);
  }
}

void Service::Parts::startHost() {
  if (host_tasks) {
    host_tasks->cancel();
    retired.emplace_back(std::move(host), std::move(host_tasks));
  }
  host = std::make_unique<collect::HostCollector>(
      loop, clock, files, probeOptions(config), config.host.interval, inventory.host().uuid, rows,
      [this](const collect::HostSample& sample) {
        Host known = inventory.host();
        known.capacity = sample.capacity;
        host_faults = sample.faults;
        if (known.cpus_online == 0) known.cpus_online = sample.cpus_online;
        if (known.memory_bytes == 0) known.memory_bytes = sample.machine_memory_bytes;
        inventory.setHost(std::move(known));
      },
      [this](Event event) { report(std::move(event)); });
  host_tasks = std::make_unique<TaskGroup>(
      loop,
      [this](const std::string& name, const std::string& what) { stop(name + " ended: " + what); });
  host_tasks->spawn("host probe", host->run());
}

void Service::Parts::stop(const std::string& reason) {
  if (stop_reason.empty()) stop_reason = reason;
  stopped.expires_at(asio::steady_timer::time_point::min());
}

/// Feeds the watchdog only while the loop (which runs this) and every event thread turn.
asio::awaitable<void> Service::Parts::feedWatchdog(Millis interval) {
  for (;;) {
    const auto now = clock.mono();
    const bool all_turn = std::all_of(places.begin(), places.end(), [&](const Place& place) {
      const auto tick = place.environment->eventThreadTick();
      return !tick || now - *tick < kWatchdogBlind;
    });
    if (all_turn) notifyManager("WATCHDOG=1");
    co_await pause(interval / 3);
  }
}

asio::awaitable<Result<void>> Service::Parts::begin() {
  // Replaying a long journal must not look like a hang to the service manager.
  notifyManager("STATUS=opening the store\nEXTEND_TIMEOUT_USEC=600000000");
  co_await store.open();
  inventory.remember(store.settings());
  collection.remember(store.settings());
  inventory.setHost(hostIdentity(store.settings(), config.host.name));

  const auto token = readToken(config.api.token_file);
  if (!token) co_return fail(token.error());
  auto peers = peerOptions(config);
  if (!peers) co_return fail(peers.error());
  if (auto listening = listenToAgents(); !listening) co_return fail(listening.error());
  for (const auto& uri : config.libvirt.uris) addEnvironment(uri);
  makeDecisions(std::move(*peers));
  auto allowed_hosts = config.api.allowed_hosts;
  if (!config.host.name.empty()) allowed_hosts.push_back(config.host.name);
  auto listening = api::Server::start(loop, backend, *decisions, clock,
                                      {.socket = config.api.socket,
                                       .listen = config.api.listen,
                                       .token = *token,
                                       .allowed_hosts = allowed_hosts,
                                       .max_connections = config.api.max_connections,
                                       .max_body_bytes = config.api.max_body_bytes,
                                       .request_deadline = config.api.request_deadline});
  if (!listening) co_return fail(listening.error());
  server = std::move(*listening);

  tasks.spawn("store", store.run());
  tasks.spawn("loop lag", lag.run());
  for (auto& place : places) place.start(tasks);
  startHost();
  decisions->start();
  if (const auto interval = watchdogInterval()) tasks.spawn("watchdog", feedWatchdog(*interval));
  report({.time = clock.wall(),
          .severity = Severity::info,
          .kind = "daemon.started",
          .entity = inventory.host().uuid,
          .message = "virtseer is ready",
          .fields = {}});
  notifyManager("READY=1\nSTATUS=ready");
  co_return Result<void>{};
}

asio::awaitable<void> Service::Parts::end() {
  notifyManager("STOPPING=1\nSTATUS=stopping");
  if (server) log(Level::info, "stopping: " + stop_reason);
  if (server) co_await server->stop(kServerPatience);
  if (decisions) co_await decisions->stop();
  if (listener) co_await listener->stop();
  co_await links.stop();
  for (auto& [old, old_tasks] : retired) co_await old_tasks->join();
  if (host_tasks) {
    host_tasks->cancel();
    co_await host_tasks->join();
  }
  tasks.cancel();
  store.events().append({.time = clock.wall(),
                         .severity = Severity::info,
                         .kind = "daemon.stopped",
                         .entity = inventory.host().uuid,
                         .message = "virtseer ends: " + stop_reason,
                         .fields = {}});
  store.stop();
  co_await tasks.join();
  if (const auto problem = store.problem(); !problem.empty())
    log(Level::error, "what was not written yet is lost: " + problem);
  server.reset();
  decisions.reset();
  places.clear();
  files.close();
  store.close();
}

Service::Service(asio::any_io_executor loop, const Clock& clock, Config config)
    : parts_(std::make_unique<Parts>(loop, clock, std::move(config))) {}

Service::~Service() = default;

asio::awaitable<Result<void>> Service::run() {
  const auto begun = co_await parts_->begin();
  if (begun) {
    boost::system::error_code ignored;
    co_await parts_->stopped.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  } else {
    parts_->stop_reason = begun.error().message;
  }
  co_await parts_->end();
  co_return begun;
}

void Service::stop(std::string reason) {
  parts_->stop(reason);
}

}  // namespace virtseer::daemon

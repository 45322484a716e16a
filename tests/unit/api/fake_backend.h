#pragma once

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <limits>
#include <stdexcept>

#include "api/backend.h"

namespace virtseer::api {

inline Uuid uuidOf(std::uint8_t last) {
  Uuid out;
  out.bytes.fill(0x11);
  out.bytes[15] = last;
  return out;
}

inline Timestamp at(std::string_view text) {
  return *parseRfc3339(text);
}

/// A daemon with a past that tests write: it records what it was asked, and hangs or throws on
/// demand.
class FakeBackend final : public Backend {
 public:
  std::vector<HostView> known_hosts;
  std::vector<VmView> known_vms;
  std::vector<SeriesView> known_series;
  std::vector<LatestView> known_values;
  SeriesAnswer answer;
  std::vector<Event> known_events;
  std::optional<std::uint64_t> next_events;  ///< where the search was ended, if it was
  Health state;
  Error failure;  ///< returned instead where `fails`
  bool fails = false;
  bool throws = false;
  bool hangs = false;  ///< series() does not return until it is cancelled
  bool hang_ended = false;
  std::function<void()> release;  ///< lets the series() that hangs go on

  std::optional<SeriesQuery> asked_series;
  std::string asked_entity;
  std::optional<EventFilter> asked_events;
  std::optional<LoadOrder> asked_load;
  std::optional<bool> asked_gone;
  EchoView known_echo;
  CollectionView known_collection;
  std::optional<std::pair<std::string, std::optional<Timestamp>>> asked_table;
  std::optional<CollectionChange> asked_collection;

  std::vector<HostView> hosts() override { return known_hosts; }

  std::vector<VmView> vms(bool gone) override {
    asked_gone = gone;
    return known_vms;
  }

  Result<VmView> vm(const std::string& key) override {
    if (throws) throw std::runtime_error("the fake throws");
    for (const auto& view : known_vms)
      if (view.vm.name == key || view.vm.uuid.text() == key) return view;
    return fail(Code::not_found, "no VM has the UUID or name " + key);
  }

  Result<std::vector<SeriesView>> seriesNames(const std::string& key) override {
    asked_entity = key;
    return known_series;
  }

  boost::asio::awaitable<Result<SeriesAnswer>> series(std::string key, SeriesQuery query) override {
    asked_entity = key;
    asked_series = query;
    if (throws) throw std::runtime_error("the fake throws");
    if (hangs) {
      struct Mark {
        bool* ended;
        ~Mark() { *ended = true; }
      } mark{&hang_ended};
      boost::asio::steady_timer never(co_await boost::asio::this_coro::executor);
      never.expires_at(std::chrono::steady_clock::time_point::max());
      release = [this, &never] { hangs = false, never.cancel(); };
      boost::system::error_code ignored;
      while (hangs)
        co_await never.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    if (fails) co_return fail(failure);
    co_return answer;
  }

  Result<std::vector<LatestView>> latest(const std::string& key) override {
    asked_entity = key;
    return known_values;
  }

  /// One that stands for all: latest() does not ask whose values are wanted.
  std::vector<Uuid> entities() override { return {uuidOf(2)}; }

  std::string entityName(Uuid entity) override {
    for (const auto& view : known_vms)
      if (view.vm.uuid == entity) return view.vm.name;
    for (const auto& view : known_hosts)
      if (view.host.uuid == entity) return view.host.name;
    return "";
  }

  boost::asio::awaitable<Result<EventPage>> events(EventFilter filter) override {
    asked_events = filter;
    EventPage out{.events = known_events, .next = next_events};
    if (out.events.size() > filter.limit) {
      out.events.resize(filter.limit);
      out.next = out.events.back().id;
    }
    co_return out;
  }

  Health health() override { return state; }

  boost::asio::awaitable<Result<std::uint64_t>> load(std::string, LoadOrder order) override {
    asked_load = order;
    if (fails) co_return fail(failure);
    co_return 7;
  }

  boost::asio::awaitable<Result<EchoView>> echo(std::string key) override {
    if (const auto known = vm(key); !known) co_return fail(known.error());
    co_return known_echo;
  }

  boost::asio::awaitable<Result<VmTable>> table(std::string key, std::string name,
                                                std::optional<Timestamp> at) override {
    asked_table = {name, at};
    if (const auto known = vm(key); !known) co_return fail(known.error());
    if (known_echo.tables.empty()) co_return fail(Code::not_found, "it told no table");
    co_return VmTable{known_echo.vm, known_echo.vm_name, known_echo.tables.front()};
  }

  Result<CollectionView> collection(const std::string& key) override {
    if (const auto known = vm(key); !known) return fail(known.error());
    return known_collection;
  }

  boost::asio::awaitable<Result<CollectionView>> setCollection(std::string key,
                                                               CollectionChange change) override {
    asked_collection = change;
    co_return collection(key);
  }

  Result<Uuid> entity(const std::string& key) override {
    for (const auto& view : known_vms)
      if (view.vm.name == key) return view.vm.uuid;
    return fail(Code::not_found, "nothing has the UUID or name " + key);
  }

  /// Nothing known but what must be.
  static FakeBackend empty() {
    FakeBackend out;
    out.known_hosts.resize(1);
    out.known_vms.resize(1);
    out.known_vms[0].vm.name = "bare";
    out.known_hosts[0].host.name = "host";
    out.known_series.resize(1);
    out.known_values.resize(1);
    out.known_values[0].value = std::numeric_limits<double>::quiet_NaN();
    out.answer.series.resize(1);
    out.known_events.resize(1);
    out.state.environments.resize(1);
    out.known_echo.values.resize(1);
    out.known_collection.in_force = {
        .interval_ms = 5000, .top_processes = 10, .collectors = {{"all"}}};
    return out;
  }

  /// Everything known.
  static FakeBackend filled();
  /// Another host that is configured as "beta".
  static HostView peer();
};

inline HostView FakeBackend::peer() {
  HostView out;
  out.host.uuid = uuidOf(3);
  out.host.name = "beta-1";
  out.peer = "beta";
  out.maintenance = true;
  out.heard = at("2026-01-31T08:04:58Z");
  out.usage.vms_running = 3;
  return out;
}

inline FakeBackend FakeBackend::filled() {
  FakeBackend out = empty();
  const Timestamp now = at("2026-01-31T08:05:00.250Z");
  Host& host = out.known_hosts[0].host;
  host = {
      uuidOf(1), "alpha", true,   "EPYC", 8, std::uint64_t{16} << 30, {7.5, 15u << 20, "machine"},
      "6.1.0",   "9.0.0", "7.2.0"};
  out.known_hosts[0].usage = {1.5, 4e9, 0.1, 0.2, 0.3, 1.25, 0.01, 1, 2};

  VmView& view = out.known_vms[0];
  view.vm = {uuidOf(2), "web", "qemu:///system", VmState::running, Role::lab, true, true,
             2,         4,     1u << 30,         2u << 30,         true,      5};
  view.host = uuidOf(1);
  view.host_name = "alpha";
  view.agent = {
      AgentLink::State::connected, "", "0.1.0", 99, 7, 1000, now, 7, 1, 2, 3, {{"cpu", "on"}}};
  view.usage.window_seconds = 5;
  for (auto* each :
       {&view.usage.cpu_cores, &view.usage.cpu_delay_cores, &view.usage.guest_cpu_cores,
        &view.usage.memory_used_bytes, &view.usage.memory_total_bytes, &view.usage.memory_rss_bytes,
        &view.usage.swap_used_bytes, &view.usage.disk_read_bytes_per_second,
        &view.usage.disk_write_bytes_per_second, &view.usage.disk_read_latency_seconds,
        &view.usage.disk_write_latency_seconds, &view.usage.network_receive_bytes_per_second,
        &view.usage.network_transmit_bytes_per_second, &view.usage.pressure_cpu_ratio,
        &view.usage.pressure_memory_ratio, &view.usage.pressure_io_ratio,
        &view.usage.work_units_per_second})
    *each = 0.5;
  view.inputs = {"agent", "libvirt"};
  view.missing_inputs = {"balloon: statistics period is 0; set it"};
  view.last_seen = now;

  const StreamId guest{uuidOf(2), Source::guest};
  const SeriesName cpu{"guest_cpu_seconds_total", {{"cpu", "0"}, {"mode", "user"}}, Kind::counter};
  out.known_series = {{guest, cpu, now}};
  out.known_values = {{guest, cpu, now, 12.5}};
  out.answer.series = {{guest, cpu, {{now, 0.1}, {now + Millis(5000), 1e300}}}};
  out.answer.truncated = true;
  out.answer.damaged_chunks = 3;
  out.known_events = {
      {9, now, Severity::warning, "vm.started", uuidOf(2), "started", {{"by", "hand"}}}};
  out.known_echo = {uuidOf(2), "web", now, view.agent, {}, {}, out.known_events};
  out.known_echo.values = {
      {cpu, now, 12.5, 0.25},
      {{"guest_agent_cpu_seconds_total", {}, Kind::counter}, now, 2, 0.001},
      {{"guest_agent_resident_memory_bytes", {}, Kind::gauge}, now - Millis(5000), 2e6, {}}};
  out.known_echo.tables = {
      {now, {"processes", {"pid", "command"}, {1.0, "init", 2.0, echo::Cell()}}},
      {now - Millis(5000), {"services", {"unit"}, {"ssh\"d"}}}};
  out.known_collection = {uuidOf(2), "web", {1000, 20, {{"cpu"}}}, {1000, {}, {{"cpu"}}}, true};
  Health& state = out.state;
  state.version = "0.1.0";
  state.started = now;
  state.problems = {"libvirt does not answer; start it"};
  state.environments = {{"qemu:///system", true, "", now, 1, 2, 3}};
  state.store_open = true;
  state.rows = state.samples = state.disk_bytes = state.rss_bytes = 1000;
  state.loop_lag_seconds_max = 0.001;
  state.cpu_seconds = 1.5;
  return out;
}

}  // namespace virtseer::api

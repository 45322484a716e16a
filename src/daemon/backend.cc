#include "daemon/backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <tuple>

#include "base/text.h"
#include "daemon/peer_view.h"
#include "daemon/problems.h"
#include "daemon/process.h"
#include "daemon/series_reader.h"
#include "daemon/usage.h"
#include "decide/enroll.h"
#include "model/host_state.h"
#include "virtseer/version.h"

namespace virtseer::daemon {

namespace asio = boost::asio;

namespace {

void accumulate(std::optional<double>& sum, std::optional<double> part) {
  if (part) sum = sum.value_or(0) + *part;
}

}  // namespace

Inputs inputsOf(const Vm& vm, const AgentLink& agent, bool balloon_reports,
                const collect::GuestSurvey::View& guest) {
  Inputs out;
  if (vm.state != VmState::gone) out.present.push_back("libvirt");
  if (balloon_reports)
    out.present.push_back("balloon");
  else if (runs(vm.state) && vm.balloon_period_s == 0)
    out.missing.push_back("balloon: its statistics period is 0; run 'virsh dommemstat " +
                          vm.uuid.text() +
                          " --period 5 --live --config' or set libvirt.balloon_period");
  else if (runs(vm.state) && !vm.balloon_period_s && vm.environment.starts_with("qemu"))
    out.missing.push_back(
        "balloon: the VM has none; add <memballoon model='virtio'/> to its definition and restart "
        "it");
  else if (runs(vm.state))
    out.missing.push_back(
        "balloon: the guest's driver reports no memory; load virtio_balloon in the guest");
  if (agent.state == AgentLink::State::connected)
    out.present.push_back("agent");
  else if (vm.state != VmState::gone && !vm.has_channel)
    out.missing.push_back(decide::isContainer(vm)
                              ? "agent: nothing calls from the container; run '" +
                                    decide::enrollCommand(vm) + "'"
                              : "agent: the VM has no channel org.virtseer.echo.0; run '" +
                                    decide::enrollCommand(vm) + "', which adds one while it runs");
  else if (runs(vm.state))
    out.missing.push_back(
        "agent: " +
        (agent.reason.empty()
             ? std::string("nothing answers in the guest; install and start virtseer-agent there")
             : agent.reason));
  if (guest.facts && guest.silent.empty())
    out.present.push_back("qemu-guest-agent");
  else if (runs(vm.state) && vm.has_guest_agent && !guest.silent.empty())
    out.missing.push_back("qemu-guest-agent: " + guest.silent +
                          "; install and start qemu-guest-agent in the guest");
  else if (runs(vm.state) && !vm.has_guest_agent && agent.state != AgentLink::State::connected &&
           vm.environment.starts_with("qemu"))
    out.missing.push_back(
        "qemu-guest-agent: the VM has no channel org.qemu.guest_agent.0; not needed with the "
        "agent");
  return out;
}

DaemonBackend::DaemonBackend(const Clock& clock, Inventory& inventory, StoreKeeper& store,
                             Parts parts, Millis usage_window)
    : clock_(clock),
      inventory_(inventory),
      store_(store),
      parts_(std::move(parts)),
      usage_window_(usage_window),
      started_(clock.wall()) {}

std::vector<api::HostView> DaemonBackend::hosts() {
  std::vector<api::HostView> out;
  if (!inventory_.host().uuid.isNil()) out.push_back(self());
  for (const auto& peer : parts_.peers()) out.push_back(peerView(peer));
  return out;
}

api::HostView DaemonBackend::self() {
  api::HostView out;
  out.host = inventory_.host();
  out.usage = usage_.host(store_.series(), out.host.uuid, clock_.wall(), usage_window_);
  out.maintenance = parts_.maintenance();
  std::uint32_t running = 0, total = 0;
  for (const auto& [uuid, vm] : inventory_.present()) {
    ++total;
    if (!runs(vm.state)) continue;
    ++running;
    const auto usage = usage_.vm(store_.series(), uuid, clock_.wall(), usageWindow(uuid));
    accumulate(out.usage.vms_cpu_cores, usage.cpu_cores);
    accumulate(out.usage.vms_cpu_delay_cores, usage.cpu_delay_cores);
  }
  out.usage.vms_running = running;
  out.usage.vms_total = total;
  return out;
}

api::VmView DaemonBackend::view(const Vm& vm) {
  api::VmView out{.vm = vm,
                  .host = inventory_.host().uuid,
                  .host_name = inventory_.host().name,
                  .agent = {},
                  .usage = {},
                  .inputs = {},
                  .missing_inputs = {},
                  .last_seen = {},
                  .guest = {}};
  out.usage = usage_.vm(store_.series(), vm.uuid, clock_.wall(), usageWindow(vm.uuid));
  out.last_seen = std::max(store_.series().lastTime({vm.uuid, Source::libvirt}),
                           store_.series().lastTime({vm.uuid, Source::guest}));
  if (vm.state != VmState::gone) {
    out.agent = parts_.agent(vm.uuid);
    out.timed_out = parts_.timed_out(vm.uuid);
  }
  const bool balloon = runs(vm.state) && usage_.balloonReports(store_.series(), vm.uuid,
                                                               clock_.wall(), 4 * usage_window_);
  auto guest = parts_.guest(vm.uuid);
  auto inputs = inputsOf(vm, out.agent, balloon, guest);
  out.guest = std::move(guest.facts);
  out.inputs = std::move(inputs.present);
  out.missing_inputs = std::move(inputs.missing);
  return out;
}

std::vector<api::VmView> DaemonBackend::vms(bool gone) {
  std::vector<api::VmView> out;
  for (const auto& [uuid, vm] : inventory_.present()) out.push_back(view(vm));
  if (gone)
    for (const auto& vm : inventory_.gone()) out.push_back(view(vm));
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::tie(a.vm.name, a.vm.uuid) < std::tie(b.vm.name, b.vm.uuid);
  });
  return out;
}

Result<api::VmView> DaemonBackend::vm(const std::string& name) {
  const auto found = inventory_.find(name);
  if (!found) return fail(found.error());
  return view(*found);
}

std::vector<StreamId> DaemonBackend::streamsOf(Uuid entity) {
  std::vector<StreamId> out;
  for (const auto source : {Source::guest, Source::libvirt, Source::host})
    if (!store_.series().names({entity, source}).empty()) out.push_back({entity, source});
  return out;
}

Result<std::vector<api::SeriesView>> DaemonBackend::seriesNames(const std::string& name) {
  const auto uuid = entity(name);
  if (!uuid) return fail(uuid.error());
  std::vector<api::SeriesView> out;
  for (const auto& stream : streamsOf(*uuid)) {
    const auto names = store_.series().names(stream);
    std::vector<std::optional<Timestamp>> last(names.size());
    for (const auto& value : store_.series().latest(stream)) last[value.column] = value.time;
    for (std::size_t i = 0; i < names.size(); ++i) out.push_back({stream, names[i], last[i]});
  }
  return out;
}

asio::awaitable<Result<api::SeriesAnswer>> DaemonBackend::series(std::string name,
                                                                 api::SeriesQuery query) {
  const auto uuid = entity(name);
  if (!uuid) co_return fail(uuid.error());
  auto parts = prepare(store_.series(), streamsOf(*uuid), query);
  if (parts.empty()) {
    bool known = false;
    for (const auto& stream : streamsOf(*uuid))
      for (const auto& column : store_.series().names(stream))
        known |= column.metric == query.metric;
    co_return fail(Code::not_found,
                   fmt::format("{} has {}series {}{}: 'virtseer series {}' lists what it has",
                               printable(name), known ? "" : "no ", printable(query.metric),
                               known ? ", but none with these labels or of this source" : "",
                               printable(name)));
  }
  co_return co_await store_.read(
      "series: read",
      [parts = std::move(parts), query = std::move(query)] { return answer(parts, query); });
}

void DaemonBackend::addLatest(StreamId stream, std::vector<api::LatestView>& out) {
  const auto names = store_.series().names(stream);
  for (const auto& value : store_.series().latest(stream))
    out.push_back({stream, names[value.column], value.time, value.value});
}

Result<std::vector<api::LatestView>> DaemonBackend::latest(const std::string& name) {
  const auto uuid = entity(name);
  if (!uuid) return fail(uuid.error());
  std::vector<api::LatestView> out;
  for (const auto& stream : streamsOf(*uuid)) addLatest(stream, out);
  return out;
}

std::optional<double> DaemonBackend::latestOf(StreamId stream, std::string_view metric) {
  const auto names = store_.series().names(stream);
  for (const auto& value : store_.series().latest(stream))
    if (names[value.column].metric == metric) return value.value;
  return std::nullopt;
}

std::vector<Uuid> DaemonBackend::entities() {
  std::vector<Uuid> out{inventory_.host().uuid};
  for (const auto& [uuid, vm] : inventory_.present()) out.push_back(uuid);
  return out;
}

std::string DaemonBackend::entityName(Uuid entity) {
  return inventory_.nameOf(entity);
}

asio::awaitable<Result<EventPage>> DaemonBackend::events(api::EventFilter filter) {
  store::EventQuery query{.from = filter.from,
                          .to = filter.to,
                          .entity = filter.entity,
                          .at_least = filter.at_least,
                          .kind_prefix = filter.kind_prefix,
                          .before_id = filter.before_id.value_or(UINT64_MAX),
                          .limit = filter.limit};
  co_return co_await store_.read("events: read", store_.events().finder(std::move(query)));
}

api::Health DaemonBackend::health() {
  api::Health out;
  out.version = kVersion;
  out.started = started_;
  out.environments = parts_.environments();
  out.store_open = store_.open_on_disk();
  out.store_error = store_.problem();
  const auto counts = store_.series().counts();
  out.rows = counts.rows;
  out.samples = counts.samples;
  out.late = counts.late;
  out.overflow = counts.overflow;
  out.damaged = counts.damaged;
  out.streams = counts.streams;
  out.series = counts.series;
  out.journal_bytes = counts.journal_bytes;
  out.disk_bytes = store_.disk_bytes();
  const auto agents = parts_.agents();
  out.agents_connected = agents.connected;
  out.echo_duplicates = agents.duplicates;
  out.echo_lost = agents.lost;
  out.echo_faults = agents.faults;
  const auto calls = parts_.calls();
  out.callers = calls.clients;
  out.calls_accepted = calls.accepted;
  out.calls_denied = calls.denied;
  out.calls_turned_away = calls.turned_away;
  out.calls_failed = calls.failed;
  auto collected = parts_.collected();
  collected += agents.counts;
  out.missed_beats = collected.missed_beats;
  out.refused_values = collected.refused_values;
  out.link_failures = agents.failures;
  out.happenings = agents.happenings;
  out.happenings_dropped = agents.happenings_dropped;
  out.tables_dropped = store_.tables().dropped();
  out.requests_refused = parts_.requests_refused();
  out.events_dropped = store_.events().dropped();
  out.loop_lag_seconds_max = parts_.worst_loop_lag_seconds();
  out.cpu_seconds = processCpuSeconds();
  out.rss_bytes = processRssBytes();
  out.maintenance = parts_.maintenance();
  out.automation = parts_.automation();
  out.problems = problems(out);
  return out;
}

Wellbeing DaemonBackend::wellbeing(const Uuid& uuid) {
  Wellbeing out;
  const auto found = vm(uuid.text());
  if (!found) return out;
  out.agent = goesAlong(found->agent);
  if (found->agent.last_echo) out.echo_age = clock_.wall() - *found->agent.last_echo;
  out.cpu_cores = found->usage.cpu_cores;
  out.cpu_delay_cores = found->usage.cpu_delay_cores;
  out.work_units_per_s = found->usage.work_units_per_second;
  out.ticks = latestOf({uuid, Source::guest}, "guest_ticks_total");
  return out;
}

std::vector<std::string> DaemonBackend::problems(const api::Health& health) {
  std::vector<std::string> out;
  for (const auto& environment : health.environments) {
    if (!environment.connected)
      out.push_back(
          fmt::format("{} is not connected: {}; it is tried again, check that libvirt runs",
                      printable(environment.uri), printable(environment.error)));
    else if (environment.calls_stuck > 0)
      out.push_back(fmt::format("{} does not answer {} calls; the last known figures are shown",
                                printable(environment.uri), environment.calls_stuck));
  }
  for (auto& fault : parts_.host_faults()) out.push_back(std::move(fault));
  if (!health.store_error.empty()) out.push_back(health.store_error);
  if (health.damaged > 0)
    out.push_back(fmt::format("{} pieces of the store are damaged and left out", health.damaged));
  std::ranges::move(operationProblems(parts_.operations(), clock_.wall()), std::back_inserter(out));
  std::ranges::move(duplicateProblems(parts_.duplicates()), std::back_inserter(out));
  std::ranges::move(peerProblems(parts_.peers(), inventory_.host().uuid, started_, clock_.wall()),
                    std::back_inserter(out));
  return out;
}

asio::awaitable<Result<std::uint64_t>> DaemonBackend::load(std::string name, api::LoadOrder order) {
  const auto vm = inventory_.find(name);
  if (!vm) co_return fail(vm.error());
  if (vm->role == Role::production)
    co_return fail(
        Code::refused,
        fmt::format("{} is a production VM: synthetic work runs only where the hypervisor's "
                    "fw_cfg key opt/org.virtseer/role says lab or shadow",
                    printable(vm->name)));
  co_return co_await parts_.load(vm->uuid, order);
}

Result<Uuid> DaemonBackend::entity(const std::string& name) {
  return inventory_.entity(name);
}

}  // namespace virtseer::daemon

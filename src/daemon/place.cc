#include "daemon/place.h"

#include <algorithm>

namespace virtseer::daemon {

void Place::addWatchers(const Clock& clock, const Config& config) {
  const auto values = [to = collector.get()](Uuid vm, std::span<const collect::NamedValue> values) {
    to->add(vm, values);
  };
  guests = std::make_unique<collect::GuestSurvey>(
      clock, *environment,
      collect::GuestSurveyOptions{.interval = config.libvirt.guest_agent_interval}, values);
  dirty_rates = std::make_unique<collect::DirtyRates>(clock, *environment,
                                                      config.libvirt.dirty_rate_period, values);
}

void Place::start(TaskGroup& tasks) {
  collector->start(tasks);
  guests->start(tasks);
  dirty_rates->start(tasks);
}

void Place::listed(const std::vector<Vm>& vms) {
  guests->setVms(vms);
  dirty_rates->setVms(vms);
}

platform::Environment* environmentOf(const std::vector<Place>& places, const std::string& uri) {
  for (const auto& place : places)
    if (place.environment->status().uri == uri) return place.environment.get();
  return nullptr;
}

collect::GuestSurvey::View guestOf(const std::vector<Place>& places, const Uuid& vm) {
  for (const auto& place : places)
    if (auto view = place.guests->view(vm); view.facts || !view.silent.empty()) return view;
  return {};
}

std::unique_ptr<collect::EmulatorWatch> watchEmulators(
    const Clock& clock, BlockingPool& pool, const Config& config, const std::vector<Place>& places,
    std::function<void(std::span<const collect::NamedValue>)> host) {
  if (!config.host.ebpf) return nullptr;
  const auto tell = [&places](Uuid vm, std::span<const collect::NamedValue> values) {
    for (const auto& place : places) place.collector->add(vm, values);
  };
  return std::make_unique<collect::EmulatorWatch>(
      clock, pool, collect::kernelEmulatorProbe(), config.libvirt.interval,
      collect::EmulatorWatch::Sinks{.vm = tell, .host = std::move(host)});
}

collect::EmulatorWatch::View emulatorOf(const collect::EmulatorWatch* emulators, const Uuid& vm) {
  return emulators ? emulators->view(vm) : collect::EmulatorWatch::View{};
}

collect::CollectCounts countsOf(const std::vector<Place>& places) {
  collect::CollectCounts counts;
  for (const auto& place : places) counts += place.collector->counts();
  return counts;
}

bool timedOut(const std::vector<Place>& places, const Uuid& vm) {
  return std::ranges::any_of(places,
                             [&](const Place& place) { return place.collector->timedOut(vm); });
}

std::vector<api::EnvironmentHealth> healthOf(const std::vector<Place>& places) {
  std::vector<api::EnvironmentHealth> out;
  for (const auto& place : places) {
    const auto status = place.environment->status();
    out.push_back({status.uri, status.connected, status.error, status.since, status.reconnects,
                   status.calls_timed_out, status.calls_stuck});
  }
  return out;
}

}  // namespace virtseer::daemon

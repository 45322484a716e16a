#include "daemon/place.h"

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

}  // namespace virtseer::daemon

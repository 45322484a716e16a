#include "collect/vm_watch.h"

#include <array>
#include <utility>

#include "base/text.h"
#include "model/host_state.h"

namespace virtseer::collect {
namespace {

using platform::Notice;

struct Transition {
  std::string_view detail;
  Severity severity;
  std::string_view kind;
  std::string_view what;
  std::optional<VmState> state;
};

constexpr std::array<Transition, 8> kTransitions{{
    {"defined", Severity::info, "vm.defined", "was defined", std::nullopt},
    {"undefined", Severity::info, "vm.undefined", "was undefined", std::nullopt},
    {"started", Severity::info, "vm.started", "started", VmState::running},
    {"suspended", Severity::info, "vm.paused", "was paused", VmState::paused},
    {"resumed", Severity::info, "vm.resumed", "goes on", VmState::running},
    {"stopped", Severity::info, "vm.stopped", "stopped", VmState::shutoff},
    {"pmsuspended", Severity::info, "vm.suspended", "suspended itself", VmState::suspended},
    {"crashed", Severity::error, "vm.crashed", "crashed", VmState::crashed},
}};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

Event VmWatch::event(Severity severity, std::string kind, std::string message,
                     Timestamp now) const {
  return {.id = 0,
          .time = now,
          .severity = severity,
          .kind = std::move(kind),
          .entity = std::nullopt,
          .message = std::move(message),
          .fields = {{"environment", uri_}}};
}

Event VmWatch::vmEvent(const Known& vm, Uuid uuid, Severity severity, std::string kind,
                       std::string what, const std::string& reason, Timestamp now) const {
  std::string message = printable(vm.name) + " " + std::move(what);
  if (!reason.empty()) message += " (" + printable(reason) + ")";
  auto out = event(severity, std::move(kind), std::move(message), now);
  out.entity = uuid;
  out.fields["name"] = printable(vm.name);
  if (!reason.empty()) out.fields["reason"] = printable(reason);
  return out;
}

std::optional<Event> VmWatch::notice(const Notice& notice, Timestamp now) {
  switch (notice.kind) {
    case Notice::Kind::connected:
      if (connected_ == true) return std::nullopt;
      connected_ = true;
      return event(Severity::info, "libvirt.connected", "connected to " + uri_, now);
    case Notice::Kind::disconnected:
      if (connected_ == false) return std::nullopt;
      connected_ = false;
      return event(Severity::warning, "libvirt.lost",
                   "no connection to " + uri_ + ": " + printable(notice.detail), now);
    case Notice::Kind::vm_lifecycle:
      return lifecycle(notice, now);
    case Notice::Kind::io_error:
      if (!notice.vm) return std::nullopt;
      return vmEvent({notice.vm_name, VmState::gone}, *notice.vm, Severity::error, "vm.io_error",
                     "had an I/O error on " + printable(notice.detail), notice.reason, now);
    default:
      return std::nullopt;
  }
}

std::optional<Event> VmWatch::lifecycle(const Notice& notice, Timestamp now) {
  if (!notice.vm) return std::nullopt;
  touched_.insert(*notice.vm);
  auto& known = known_[*notice.vm];
  if (!notice.vm_name.empty()) known.name = notice.vm_name;
  for (const auto& transition : kTransitions) {
    if (transition.detail != notice.detail) continue;
    if (transition.state) known.state = *transition.state;
    const bool migrated = contains(notice.reason, "migrat");
    const bool arriving = std::exchange(
        known.arriving,
        notice.detail == "started" ? migrated : known.arriving && notice.detail != "resumed");
    const Known vm = known;
    if (notice.detail == "undefined") {
      if (!occupies(known.state)) known_.erase(*notice.vm);
    }
    if (migrated && (notice.detail == "started" || notice.detail == "stopped")) {
      const bool in = notice.detail == "started";
      auto out = vmEvent(vm, *notice.vm, Severity::info, "vm.migrated",
                         in ? "migrated to this host" : "migrated away from this host", "", now);
      out.fields["direction"] = in ? "in" : "out";
      return out;
    }
    // The pause around switch-over belongs to the migration, which is reported itself.
    if (migrated && (notice.detail == "suspended" || notice.detail == "resumed"))
      return std::nullopt;
    const bool broke = notice.detail == "stopped" &&
                       (contains(notice.reason, "crash") || contains(notice.reason, "failed"));
    if (broke && arriving) {
      known_[*notice.vm] = {vm.name, VmState::shutoff};
      return vmEvent(vm, *notice.vm, Severity::info, "vm.stopped",
                     "did not come: its copy here was ended before it ran", notice.reason, now);
    }
    if (broke) {
      known_[*notice.vm] = {vm.name, VmState::crashed};
      return vmEvent(vm, *notice.vm, Severity::error, "vm.crashed", "crashed", notice.reason, now);
    }
    if (notice.detail == "suspended" && notice.reason == "ioerror")
      return vmEvent(vm, *notice.vm, Severity::error, "vm.paused", "was paused by an I/O error",
                     notice.reason, now);
    return vmEvent(vm, *notice.vm, transition.severity, std::string(transition.kind),
                   std::string(transition.what), notice.reason, now);
  }
  return std::nullopt;
}

std::vector<Event> VmWatch::list(const std::vector<Vm>& vms, Timestamp now) {
  std::vector<Event> out;
  std::map<Uuid, Known> fresh;
  for (const auto& vm : vms) {
    const auto before = known_.find(vm.uuid);
    const bool told = touched_.contains(vm.uuid);
    if (told && before != known_.end()) {
      fresh[vm.uuid] = before->second;
      fresh[vm.uuid].arriving = before->second.arriving && !runs(vm.state);
      continue;
    }
    Known known = before != known_.end() ? before->second : Known{vm.name, VmState::gone};
    known.name = vm.name;
    if (listed_ && !told) {
      if (auto change = changed(known, vm, now)) out.push_back(std::move(*change));
    }
    known.state = vm.state;
    known.arriving = known.arriving && !runs(vm.state);
    fresh[vm.uuid] = std::move(known);
  }
  for (const auto& [uuid, known] : known_) {
    if (fresh.contains(uuid)) continue;
    if (touched_.contains(uuid))
      fresh[uuid] = known;
    else if (listed_ && occupies(known.state))
      out.push_back(vmEvent(known, uuid, Severity::info, "vm.stopped", "is no longer on this host",
                            "found when listing", now));
    else if (listed_ && known.state != VmState::gone)
      out.push_back(vmEvent(known, uuid, Severity::info, "vm.undefined", "was undefined",
                            "found when listing", now));
  }
  known_ = std::move(fresh);
  listed_ = true;
  return out;
}

std::optional<Event> VmWatch::changed(Known& known, const Vm& vm, Timestamp now) const {
  const auto tell = [&](Severity severity, std::string kind, std::string what) {
    return vmEvent(known, vm.uuid, severity, std::move(kind), std::move(what), "found when listing",
                   now);
  };
  const VmState before = known.state;
  if (before == vm.state || (runs(before) && runs(vm.state))) return std::nullopt;
  if (vm.state == VmState::crashed) return tell(Severity::error, "vm.crashed", "crashed");
  if (before == VmState::gone && !occupies(vm.state))
    return tell(Severity::info, "vm.defined", "was defined");
  if (!occupies(before) && occupies(vm.state)) return tell(Severity::info, "vm.started", "started");
  if (occupies(before) && !occupies(vm.state)) return tell(Severity::info, "vm.stopped", "stopped");
  if (vm.state == VmState::paused) return tell(Severity::info, "vm.paused", "was paused");
  if (vm.state == VmState::suspended)
    return tell(Severity::info, "vm.suspended", "suspended itself");
  if (runs(vm.state) && (before == VmState::paused || before == VmState::suspended))
    return tell(Severity::info, "vm.resumed", "goes on");
  return std::nullopt;
}

}  // namespace virtseer::collect

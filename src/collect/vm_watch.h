#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "collect/row_sink.h"
#include "model/machine.h"
#include "platform/environment.h"

namespace virtseer::collect {

/// Turns notices and lists of one environment into events, each change once: a notice tells at
/// once, a list tells what no notice told (they are not replayed after a lost connection). Pure.
///
/// Kinds: vm.defined, vm.undefined, vm.started, vm.stopped, vm.paused, vm.resumed, vm.suspended,
/// vm.crashed, vm.migrated (field `direction`: in or out), vm.io_error; libvirt.connected,
/// libvirt.lost. A copy that was to come and is ended before it ran has not crashed.
class VmWatch {
 public:
  explicit VmWatch(std::string uri) : uri_(std::move(uri)) {}

  /// The event of a notice, if it is one that is reported.
  std::optional<Event> notice(const platform::Notice& notice, Timestamp now);

  /// To be called before a list is asked for: what notices tell from now on is newer than that
  /// list.
  void listBegins() { touched_.clear(); }
  /// Takes a list; the first one only tells where things stand.
  std::vector<Event> list(const std::vector<Vm>& vms, Timestamp now);

 private:
  struct Known {
    std::string name;
    VmState state = VmState::gone;
    bool arriving = false;  ///< a migration brings it here: it has not run here yet
  };
  Event event(Severity severity, std::string kind, std::string message, Timestamp now) const;
  Event vmEvent(const Known& vm, Uuid uuid, Severity severity, std::string kind, std::string what,
                const std::string& reason, Timestamp now) const;
  std::optional<Event> lifecycle(const platform::Notice& notice, Timestamp now);
  std::optional<Event> changed(Known& known, const Vm& vm, Timestamp now) const;

  std::string uri_;
  bool listed_ = false;
  std::optional<bool> connected_;
  std::map<Uuid, Known> known_;
  std::set<Uuid> touched_;  ///< by notices since the last list was asked for
};

}  // namespace virtseer::collect

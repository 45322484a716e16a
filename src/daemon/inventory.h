#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/machine.h"
#include "store/event_log.h"

namespace virtseer::daemon {

/// Which VMs and hosts there are, and which there were: VMs of all environments of this host, and
/// those that are known from history only. Loop thread only.
class Inventory {
 public:
  /// Replaces what is present in one environment.
  void setVms(const std::string& environment, std::vector<Vm> vms);

  /// An environment that does not answer keeps its VMs as last known.
  const std::map<Uuid, Vm>& present() const { return present_; }

  /// VMs that are remembered but not present, with the state `gone`.
  std::vector<Vm> gone() const;

  void setHost(Host host) { host_ = std::move(host); }
  const Host& host() const { return host_; }

  /// Finds a VM by UUID or name, present ones first. Two present VMs of one name are Code::invalid.
  Result<Vm> find(const std::string& vm) const;

  /// The UUID of a VM or of this host.
  Result<Uuid> entity(const std::string& name) const;

  /// The name of a VM or of this host; empty if it is not known.
  std::string nameOf(Uuid entity) const;

  /// Reads what earlier runs remembered; writes what is new from now on. To be called again when
  /// another store serves.
  void remember(store::Settings& settings);

 private:
  struct Remembered {
    std::string name, environment;
    bool operator==(const Remembered&) const = default;
  };
  void note(const Vm& vm);

  std::map<Uuid, Vm> present_;
  std::map<Uuid, Remembered> remembered_;
  Host host_;
  store::Settings* settings_ = nullptr;
};

}  // namespace virtseer::daemon

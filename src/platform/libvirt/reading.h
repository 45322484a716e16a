#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "platform/environment.h"
#include "platform/libvirt/connection.h"
#include "platform/libvirt/domain_xml.h"
#include "platform/libvirt/translate.h"

namespace virtseer::platform {

/// The facts of each VM's XML, so that a list of hundreds fetches only what is new or changed. An
/// entry holds for one run of the VM: its libvirt number is another one after each start. Any
/// thread.
class FactsCache {
 public:
  /// Taken before XML is fetched: facts that changed meanwhile are not stored.
  std::uint64_t ticket() const;
  std::optional<DomainFacts> find(const Uuid& vm, int number) const;
  void store(const Uuid& vm, int number, const DomainFacts& facts, std::uint64_t ticket);
  void forget(const Uuid& vm);
  void forgetAll();
  /// Forgets every VM that is not in `vms`.
  void retain(const std::set<Uuid>& vms);
  std::size_t size() const;

 private:
  struct Entry {
    int number;
    DomainFacts facts;
  };
  mutable std::mutex mutex_;
  std::map<Uuid, Entry> entries_;
  std::map<Uuid, std::uint64_t> forgotten_at_;
  std::uint64_t all_forgotten_at_ = 0;
  std::uint64_t now_ = 0;
};

// Calls that block, for the pools' threads.

/// All domains, active or not.
Result<std::vector<Vm>> listVms(const Connection& connection, const std::string& uri,
                                FactsCache& cache);

/// The active domains' statistics. Never waits for a domain that is busy with a job.
class StatisticsReader {
 public:
  Result<std::vector<VmStatistics>> read(const Connection& connection);

 private:
  std::vector<Measured> translate(const std::vector<Field>& fields);

  std::mutex mutex_;
  Translator translator_;
};

Result<HostFacts> readHostFacts(const Connection& connection);

/// What the driver can do.
Capabilities probeCapabilities(const Connection& connection, bool notices);

}  // namespace virtseer::platform

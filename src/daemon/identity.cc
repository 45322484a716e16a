#include "daemon/identity.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <fstream>

namespace virtseer::daemon {
namespace {

constexpr char kUuidKey[] = "host/uuid";

std::string systemName() {
  std::array<char, 256> buffer{};
  return gethostname(buffer.data(), buffer.size() - 1) == 0 ? buffer.data() : "localhost";
}

std::string kernel() {
  utsname names{};
  return uname(&names) == 0 ? names.release : "";
}

std::optional<Uuid> machineId() {
  std::string id;
  if (!(std::ifstream("/etc/machine-id") >> id) || id.size() != 32) return std::nullopt;
  for (const std::size_t dash : {8, 13, 18, 23}) id.insert(dash, "-");
  return Uuid::parse(id);
}

}  // namespace

Host hostIdentity(const store::Settings& settings, const std::string& configured_name) {
  Host host;
  host.self = true;
  host.name = configured_name.empty() ? systemName() : configured_name;
  host.kernel = kernel();
  std::optional<Uuid> uuid;
  if (const auto known = settings.get(kUuidKey)) uuid = Uuid::parse(*known);
  if (!uuid) uuid = machineId();
  // A host without any identity still has a name to tell it by.
  if (uuid) {
    host.uuid = *uuid;
  } else {
    const std::size_t hash = std::hash<std::string>()(host.name);
    std::memcpy(host.uuid.bytes.data(), &hash, sizeof hash);
    host.uuid.bytes[15] = 1;
  }
  return host;
}

bool adopt(Host& host, const platform::HostFacts& facts, store::Settings& settings,
           const std::string& configured_name) {
  if (configured_name.empty() && !facts.name.empty()) host.name = facts.name;
  host.cpu_model = facts.cpu_model;
  host.cpus_online = facts.cpus_online;
  host.memory_bytes = facts.memory_bytes;
  host.libvirt_version = facts.library_version;
  host.qemu_version = facts.hypervisor_version;
  host.kvm = facts.kvm;
  if (facts.uuid.isNil()) return false;
  if (settings.get(kUuidKey) != facts.uuid.text()) settings.put(kUuidKey, facts.uuid.text());
  const bool changed = host.uuid != facts.uuid;
  host.uuid = facts.uuid;
  return changed;
}

}  // namespace virtseer::daemon

#include "daemon/config_keys.h"

#include <algorithm>
#include <vector>

#include "daemon/config_checks.h"

namespace virtseer {
namespace {

constexpr double kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute;
constexpr double kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB, kTiB = 1024 * kGiB;

#define VIRTSEER_SLOT(field) [](Config& c) -> ConfigSlot { return &c.field; }
#define VIRTSEER_SLOT_AS(kind, field) [](Config& c) -> ConfigSlot { return kind{&c.field}; }

constexpr ConfigKey kKeys[] = {
    {"log.level", "debug, info, warning or error", 0, 0, "The least level that is written.",
     VIRTSEER_SLOT(log.level), checkLevel},
    {"state.directory", "absolute path", 1, 4095,
     "Where the store and all else that must survive is kept.", VIRTSEER_SLOT(state.directory),
     checkAbsolutePath},
    {"libvirt.uris", "list of URIs", 1, 16,
     "The virtualization environments of this host. Statistics are read over libvirt's read-only "
     "socket.",
     VIRTSEER_SLOT(libvirt.uris), checkUri},
    {"libvirt.interval", "duration", 200, 10 * kMinute,
     "How often the statistics of all VMs are read.", VIRTSEER_SLOT(libvirt.interval), nullptr},
    {"libvirt.call_deadline", "duration", 100, kMinute,
     "How long a call to libvirt may take before it is given up and its connection replaced.",
     VIRTSEER_SLOT(libvirt.call_deadline), nullptr},
    {"libvirt.balloon_period", "duration, whole seconds", 0, kHour,
     "The balloon driver's reporting period, set on running VMs that have none: without one "
     "libvirt's "
     "figures of a guest's memory are stale. 0s leaves them alone.",
     VIRTSEER_SLOT_AS(SecondsSlot, libvirt.balloon_period_s), nullptr},
    {"echo.interval", "duration", 200, 10 * kMinute, "How often agents are told to send an echo.",
     VIRTSEER_SLOT(echo.interval), nullptr},
    {"echo.max_faults", "whole number", 1, 1000, "How many faulty frames close an agent's link.",
     VIRTSEER_SLOT_AS(CountSlot, echo.max_faults), nullptr},
    {"echo.max_frames_per_second", "whole number", 1, 10000,
     "How many frames an agent may send per second, replayed echoes apart. More close its link, "
     "which is opened again after a pause that grows each time; the agent keeps its echoes "
     "meanwhile.",
     VIRTSEER_SLOT_AS(CountSlot, echo.max_frames_per_second), nullptr},
    {"echo.retry", "duration", 100, kMinute / 2,
     "How long to wait before a link that failed for the second time in a row is opened again; "
     "from "
     "then on the wait doubles up to 30s. After the first failure it is 500ms.",
     VIRTSEER_SLOT(echo.retry), nullptr},
    {"host.name", "text", 0, 253, "The name this host is shown by. Empty: the system's.",
     VIRTSEER_SLOT(host.name), checkHostName},
    {"host.cpus", "number of cores or \"auto\"", 0.01, 65536,
     "The cores that belong to this host's VMs, before the reserve. auto: those of host.cgroup, "
     "else the "
     "machine's.",
     VIRTSEER_SLOT(host.cpus), nullptr},
    {"host.memory", "size or \"auto\"", kMiB, 1024 * kTiB,
     "The memory that belongs to this host's VMs, before the reserve. auto: that of host.cgroup, "
     "else the "
     "machine's.",
     VIRTSEER_SLOT(host.memory_bytes), nullptr},
    {"host.reserve_cpus", "number of cores", 0, 65536, "Cores kept back for the host itself.",
     VIRTSEER_SLOT(host.reserve_cpus), nullptr},
    {"host.reserve_memory", "size", 0, 1024 * kTiB, "Memory kept back for the host itself.",
     VIRTSEER_SLOT_AS(SizeSlot, host.reserve_memory_bytes), nullptr},
    {"host.cgroup", "path below the cgroup root", 0, 4095,
     "The control group that holds this host's VMs, where the host is only a part of the machine. "
     "Empty: "
     "the machine.",
     VIRTSEER_SLOT(host.cgroup), checkCgroup},
    {"host.interval", "duration", 200, 10 * kMinute, "How often the host's own load is read.",
     VIRTSEER_SLOT(host.interval), nullptr},
    {"api.socket", "absolute path", 1, 107,
     "The UNIX socket of the REST interface. Who may connect is decided by its file mode.",
     VIRTSEER_SLOT(api.socket), checkAbsolutePath},
    {"api.listen", "ADDRESS:PORT", 0, 64,
     "A TCP address for the REST interface, such as 127.0.0.1:8686 or [::1]:8686. Empty: no TCP. "
     "Without "
     "api.token_file only a loopback address is taken, and only for reading.",
     VIRTSEER_SLOT(api.listen), checkListen},
    {"api.token_file", "absolute path", 0, 4095,
     "A file with the token that TCP clients send as 'Authorization: Bearer TOKEN'. It must not be "
     "readable by others.",
     VIRTSEER_SLOT(api.token_file), checkPathOrEmpty},
    {"api.allowed_hosts", "list of host names", 0, 64,
     "Further names that the Host header of a TCP request may carry, beside the address itself and "
     "localhost.",
     VIRTSEER_SLOT(api.allowed_hosts), checkAllowedHost},
    {"api.max_connections", "whole number", 1, 10000,
     "How many clients are served at once; more are refused and counted.",
     VIRTSEER_SLOT_AS(CountSlot, api.max_connections), nullptr},
    {"api.max_body", "size", kKiB, 16 * kMiB, "The largest request body that is read.",
     VIRTSEER_SLOT_AS(SmallSizeSlot, api.max_body_bytes), nullptr},
    {"api.request_deadline", "duration", 100, 10 * kMinute,
     "How long a client may take to send a request, and the daemon to answer it.",
     VIRTSEER_SLOT(api.request_deadline), nullptr},
    {"store.sync", "duration", 10, kMinute,
     "How often what was measured is written through to the disk: a power cut loses "
     "this much at most, a crash of the daemon nothing.",
     VIRTSEER_SLOT(store.sync), nullptr},
    {"store.rows_per_chunk", "whole number", 10, 10000,
     "How many rows of a VM are packed into one stored value.",
     VIRTSEER_SLOT_AS(CountSlot, store.rows_per_chunk), nullptr},
    {"store.cache", "size", kMiB, 64 * kGiB, "Memory for stored blocks that were read lately.",
     VIRTSEER_SLOT_AS(SizeSlot, store.cache_bytes), nullptr},
    {"store.max_unwritten", "size", kMiB, 16 * kGiB,
     "Memory for what cannot be written while the disk is full or fails; beyond it new rows "
     "are counted and not taken. Agents keep theirs and send them again; what is measured from "
     "outside is lost for that time.",
     VIRTSEER_SLOT_AS(SizeSlot, store.max_unwritten_bytes), nullptr},
};

#undef VIRTSEER_SLOT
#undef VIRTSEER_SLOT_AS

/// Insertions, removals, replacements and swaps of neighbours that make `a` out of `b` (optimal
/// string alignment).
std::size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      cost[i][j] = std::min(
          {cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]), cost[i - 1][j] + 1, cost[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  return cost[a.size()][b.size()];
}

}  // namespace

std::span<const ConfigKey> configKeys() {
  return kKeys;
}

std::string nearestName(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  if (name.size() > kLongest) return {};
  const bool section = !name.contains('.');
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const ConfigKey& key : kKeys) {
    const auto candidate = section ? key.name.substr(0, key.name.find('.')) : key.name;
    // A key in the wrong section keeps its last part.
    const bool moved =
        !section && name.substr(name.rfind('.')) == key.name.substr(key.name.rfind('.'));
    const std::size_t distance = moved ? std::min<std::size_t>(2, editDistance(name, candidate))
                                       : editDistance(name, candidate);
    if (distance < best_distance) best = candidate, best_distance = distance;
  }
  return std::string(best);
}

}  // namespace virtseer

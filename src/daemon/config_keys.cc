#include "daemon/config_keys.h"

#include <array>
#include <vector>

#include "daemon/config_checks.h"

namespace virtseer {
namespace {

constexpr double kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute;
constexpr double kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB, kTiB = 1024 * kGiB;

#define VIRTSEER_SLOT(field) [](Config& c, std::size_t) -> ConfigSlot { return &c.field; }
#define VIRTSEER_SLOT_AS(kind, field) \
  [](Config& c, std::size_t) -> ConfigSlot { return kind{&c.field}; }

constexpr std::size_t kPolicyKeys = 7;

/// The keys that [policy] and a rule have in common; `of` finds where their words are kept.
template <PolicyOverrides& (*of)(Config&, std::size_t table)>
constexpr std::array<ConfigKey, kPolicyKeys> policyKeys(
    const std::array<std::string_view, kPolicyKeys>& names) {
  constexpr const char* kTruth = "true or false";
  return {{
      {names[0], "observe, suggest or auto", 0, 0,
       "What virtseer does by itself: observe watches and says what it would do, suggest asks a "
       "person, auto acts.",
       [](Config& c, std::size_t t) -> ConfigSlot { return ModeSlot{&of(c, t).mode}; }, checkMode},
      {names[1], kTruth, 0, 0, "Never moved by virtseer itself.",
       [](Config& c, std::size_t t) -> ConfigSlot {
         return FlagSlot{&of(c, t).excluded, Policy{}.excluded};
       },
       nullptr},
      {names[2], "whole number", 0, 100, "A VM of higher priority stays where it is for longer.",
       [](Config& c, std::size_t t) -> ConfigSlot { return PrioritySlot{&of(c, t).priority}; },
       nullptr},
      {names[3], kTruth, 0, 0, "Live migration is allowed.",
       [](Config& c, std::size_t t) -> ConfigSlot {
         return FlagSlot{&of(c, t).migrate, Policy{}.migrate};
       },
       nullptr},
      {names[4], kTruth, 0, 0, "A migration may copy disks that the target does not reach.",
       [](Config& c, std::size_t t) -> ConfigSlot {
         return FlagSlot{&of(c, t).copy_storage, Policy{}.copy_storage};
       },
       nullptr},
      {names[5], kTruth, 0, 0, "A VM that does worse after its move goes back by itself.",
       [](Config& c, std::size_t t) -> ConfigSlot {
         return FlagSlot{&of(c, t).return_trip, Policy{}.return_trip};
       },
       nullptr},
      {names[6], kTruth, 0, 0,
       "auto may move a VM whose disks are shared without virtlockd or sanlock to guard them.",
       [](Config& c, std::size_t t) -> ConfigSlot {
         return FlagSlot{&of(c, t).unlocked_disks, Policy{}.unlocked_disks};
       },
       nullptr},
  }};
}

/// The element, made if there is none yet.
template <class T>
T& grown(std::vector<T>& list, std::size_t table) {
  if (list.size() <= table) list.resize(table + 1);
  return list[table];
}

PolicyOverrides& defaults(Config& config, std::size_t) {
  return config.policy.defaults;
}
PolicyOverrides& rule(Config& config, std::size_t table) {
  return grown(config.policy.rules, table).set;
}

template <std::size_t... sizes>
constexpr auto joined(const std::array<ConfigKey, sizes>&... parts) {
  std::array<ConfigKey, (sizes + ...)> out{};
  std::size_t at = 0;
  const auto append = [&](const auto& part) {
    for (const ConfigKey& key : part) out[at++] = key;
  };
  (append(parts), ...);
  return out;
}

constexpr auto kFirstKeys = std::to_array<ConfigKey>({
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
    {"libvirt.guest_agent_interval", "duration", 0, 24 * kHour,
     "How often the qemu-guest-agent of a VM is asked, where it has the channel for one: operating "
     "system, file systems, clock. 0s asks none.",
     VIRTSEER_SLOT(libvirt.guest_agent_interval), nullptr},
    {"libvirt.dirty_rate_period", "duration", 0, 24 * kHour,
     "How often it is measured how fast a running VM writes its memory, which tells what a live "
     "move of it takes; never while a job runs on it. 0s measures nothing.",
     VIRTSEER_SLOT(libvirt.dirty_rate_period), nullptr},
    {"echo.interval", "duration", 200, 10 * kMinute,
     "How often agents are told to send an echo: at most a third of migration.echo_back, where "
     "there are peers.",
     VIRTSEER_SLOT(echo.interval), nullptr},
    {"echo.top_processes", "whole number", 0, 256,
     "How many processes and the like the agents' tables hold at most.",
     VIRTSEER_SLOT_AS(CountSlot, echo.top_processes), nullptr},
    {"echo.collectors", "list of collectors", 0, 64,
     "The collectors that agents run, as virtseer vm names them under sources. Empty: all.",
     VIRTSEER_SLOT(echo.collectors), checkCollector},
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
    {"echo.listen_tls", "ADDRESS:PORT", 0, 64,
     "A TCP address for agents that call over TLS, from VMs without the virtio channel, such as "
     "192.0.2.1:8687. Empty: none.",
     VIRTSEER_SLOT(echo.listen_tls), checkListen},
    {"echo.tls_certificate", "absolute path", 0, 4095,
     "The certificate (PEM, with its chain) that agents are shown. It must name the address or the "
     "host name that they call.",
     VIRTSEER_SLOT(echo.tls_certificate), checkPathOrEmpty},
    {"echo.tls_key", "absolute path", 0, 4095,
     "Its private key (PEM). It must not be readable by others.", VIRTSEER_SLOT(echo.tls_key),
     checkPathOrEmpty},
    {"echo.listen_vsock", "port", 0, 4294967294,
     "A vsock port for agents that call, such as 8687. 0: none.",
     VIRTSEER_SLOT_AS(CountSlot, echo.listen_vsock), nullptr},
    {"echo.tokens", "absolute path", 0, 4095,
     "A folder with the tokens of VMs whose agents call: files UUID.token of mode 0600, which "
     "'virtseer enroll' makes. Empty: agents in state.directory.",
     VIRTSEER_SLOT(echo.tokens), checkPathOrEmpty},
    {"echo.max_clients", "whole number", 1, 65536,
     "How many agents that call are served at once. More are turned away and counted.",
     VIRTSEER_SLOT_AS(CountSlot, echo.max_clients), nullptr},
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
    {"host.disk_locks", "detect, yes or no", 0, 0,
     "Whether virtlockd or sanlock guards the disks of this host's VMs. detect: as "
     "/etc/libvirt/qemu.conf says, if the daemon may read it, else no. Between hosts virtlockd "
     "guards block devices only with a lockspace on storage that both see.",
     VIRTSEER_SLOT(host.disk_locks), checkDiskLocks},
    {"host.interval", "duration", 200, 10 * kMinute, "How often the host's own load is read.",
     VIRTSEER_SLOT(host.interval), nullptr},
    {"host.ebpf", "true or false", 0, 0,
     "Programs in the kernel count system calls, waits for a processor and disk requests of each "
     "VM's QEMU process, for less than 1 % of a core in all. They need CAP_BPF and CAP_PERFMON.",
     VIRTSEER_SLOT(host.ebpf), nullptr},
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
     "How many clients are served at once, at most three quarters of them over TCP: the rest is "
     "kept "
     "for the UNIX socket. More are refused and counted.",
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
    {"store.tables_keep", "duration", kHour, 366 * 24 * kHour,
     "How long the tables that guests tell are kept, one of each and minute.",
     VIRTSEER_SLOT(store.tables_keep), nullptr},
    {"forecast.step", "duration", 200, 10 * kMinute,
     "Step of the series that forecasts are made from: a peak is the highest mean of one step. "
     "libvirt.interval should not be longer.",
     VIRTSEER_SLOT(forecast.step), nullptr},
    {"forecast.horizons", "list of durations, ascending", 1, 4,
     "How far ahead is foreseen; each at least six steps long.", VIRTSEER_SLOT(forecast.horizons),
     checkHorizon},
});

constexpr auto kLastKeys = std::to_array<ConfigKey>({
    {"policy.stop", "true or false", 0, 0,
     "The global stop: nothing is carried out, everything is still said. A person may also stop "
     "and start with 'virtseer automation'.",
     VIRTSEER_SLOT(policy.stop), nullptr},
    {"plan.round", "duration", 200, 10 * kMinute, "How often a plan is made.",
     VIRTSEER_SLOT(plan.round), nullptr},
    {"plan.threshold", "probability", 0.01, 1,
     "A host is foreseen to run short where the probability that its VMs want more cores than it "
     "has reaches this; the time that is named is from when on that lasts for "
     "plan.contended_rounds.",
     VIRTSEER_SLOT(plan.threshold), nullptr},
    {"plan.act_within", "duration", 1000, 24 * kHour,
     "Contention that is further away than this is said and not acted upon.",
     VIRTSEER_SLOT(plan.act_within), nullptr},
    {"plan.target_limit", "probability", 0, 1,
     "The highest probability of contention that a move may bring to its target, but for moves "
     "that empty a host in maintenance; below plan.threshold.",
     VIRTSEER_SLOT(plan.target_limit), nullptr},
    {"plan.margin", "share", 0, 1,
     "The least share of a host's shortage that a move must take away, or it is not worth it.",
     VIRTSEER_SLOT(plan.margin), nullptr},
    {"plan.hold_rounds", "whole number", 1, 1000,
     "In how many rounds one after the other contention must be foreseen before it is acted upon.",
     VIRTSEER_SLOT_AS(CountSlot, plan.hold_rounds), nullptr},
    {"plan.quiet_rounds", "whole number", 0, 1000,
     "In how many rounds after a start nothing is carried out.",
     VIRTSEER_SLOT_AS(CountSlot, plan.quiet_rounds), nullptr},
    {"plan.settle", "duration", 0, kHour, "After a move both hosts are only watched for so long.",
     VIRTSEER_SLOT(plan.settle), nullptr},
    {"plan.cooldown", "duration", 1000, 24 * kHour,
     "A VM that was moved is not moved again for so long; doubles with each of its moves within a "
     "day.",
     VIRTSEER_SLOT(plan.cooldown), nullptr},
    {"plan.cooldown_longest", "duration", 1000, 30 * 24 * kHour,
     "The most that plan.cooldown grows to.", VIRTSEER_SLOT(plan.cooldown_longest), nullptr},
    {"plan.in_flight", "whole number", 1, 100, "Moves at once that virtseer begins, in the fleet.",
     VIRTSEER_SLOT_AS(CountSlot, plan.in_flight), nullptr},
    {"plan.in_flight_per_host", "whole number", 1, 100, "The same for one host, in and out.",
     VIRTSEER_SLOT_AS(CountSlot, plan.in_flight_per_host), nullptr},
    {"plan.per_hour", "whole number", 0, 1000,
     "Moves that virtseer begins within any hour, in the fleet, those for maintenance apart.",
     VIRTSEER_SLOT_AS(CountSlot, plan.per_hour), nullptr},
    {"plan.contended_share", "share", 0.001, 1,
     "A host is contended where its VMs and the host itself want all its cores, and its VMs wait "
     "for at least this share of them; it is relieved once they wait for less than half of that, "
     "or less than nine tenths of its cores are wanted.",
     VIRTSEER_SLOT(plan.contended_share), nullptr},
    {"plan.contended_rounds", "whole number", 1, 1000,
     "In how many rounds one after the other they must, and must no more until it is relieved.",
     VIRTSEER_SLOT_AS(CountSlot, plan.contended_rounds), nullptr},
    {"migration.watch", "duration", 1000, kHour,
     "How long a VM is watched after its move before the move is confirmed.",
     VIRTSEER_SLOT(migration.watch), nullptr},
    {"migration.echo_back", "duration", 1000, 10 * kMinute,
     "How soon after its move the agent of a VM that had one must be heard again.",
     VIRTSEER_SLOT(migration.echo_back), nullptr},
    {"migration.stall", "duration", 1000, kHour,
     "A migration that gets nothing done for so long is ended.", VIRTSEER_SLOT(migration.stall),
     nullptr},
    {"migration.downtime_limit", "duration", 1, kMinute,
     "How long a VM may stand still at switch-over.", VIRTSEER_SLOT(migration.downtime_limit),
     nullptr},
    {"migration.bandwidth", "size per second", 0, 1024 * kGiB,
     "The most that one migration may send; 0: libvirt's own limit.",
     VIRTSEER_SLOT_AS(SizeSlot, migration.bandwidth_bytes_per_s), nullptr},
    {"migration.at_once", "whole number", 1, 16,
     "Migrations away from this host at once, a person's among them; more are refused.",
     VIRTSEER_SLOT_AS(CountSlot, migration.at_once), nullptr},
});

#undef VIRTSEER_SLOT
#undef VIRTSEER_SLOT_AS

constexpr auto kKeys = joined(
    kFirstKeys,
    policyKeys<defaults>({"policy.mode", "policy.excluded", "policy.priority", "policy.migrate",
                          "policy.copy_storage", "policy.return_trip", "policy.unlocked_disks"}),
    kLastKeys);

constexpr auto kRuleKeys =
    joined(std::to_array<ConfigKey>({{"policy.rules.vm", "UUID, or pattern of names with * and ?",
                                      1, 253, "The VM or VMs that the rule is for.",
                                      [](Config& c, std::size_t table) -> ConfigSlot {
                                        return VmSlot{&grown(c.policy.rules, table)};
                                      },
                                      checkVmPattern, true}}),
           policyKeys<rule>({"policy.rules.mode", "policy.rules.excluded", "policy.rules.priority",
                             "policy.rules.migrate", "policy.rules.copy_storage",
                             "policy.rules.return_trip", "policy.rules.unlocked_disks"}));

#define VIRTSEER_PEER(field) \
  [](Config& c, std::size_t table) -> ConfigSlot { return &grown(c.peers, table).field; }

constexpr ConfigKey kPeerKeys[] = {
    {"peers.name", "text", 1, 253, "The name of its host, by which people and plans call it.",
     VIRTSEER_PEER(name), checkHostName, true},
    {"peers.url", "http://HOST:PORT", 1, 300, "Where its daemon listens: api.listen there.",
     VIRTSEER_PEER(url), checkPeerUrl, true},
    {"peers.token_file", "absolute path", 1, 4095,
     "A file with the token that its daemon takes: what api.token_file there holds. It must not be "
     "readable by others.",
     VIRTSEER_PEER(token_file), checkAbsolutePath, true},
    {"peers.migration_uri", "libvirt URI", 0, 1024,
     "Where this host's libvirt reaches the other for migrations. Empty: qemu+tls://NAME/system.",
     VIRTSEER_PEER(migration_uri), checkMigrationUri},
};

#undef VIRTSEER_PEER

constexpr ConfigList kLists[] = {
    {"policy.rules",
     "What holds for some VMs only. Rules count from first to last, a later one over an earlier "
     "one and over [policy]; what a rule leaves out stays as it was.",
     1000, kRuleKeys, "vm = \"db-*\"\nmode = \"suggest\"\npriority = 80\n",
     [](const Config& c) { return c.policy.rules.size(); }},
    {"peers", "The daemon of another host: VMs move between this host and its peers.", 64,
     kPeerKeys,
     "name = \"beta\"\nurl = \"http://192.0.2.2:8686\"\n"
     "token_file = \"/etc/virtseer/beta.token\"\n"
     "migration_uri = \"qemu+tls://beta.example/system\"\n",
     [](const Config& c) { return c.peers.size(); }},
};

}  // namespace

std::span<const ConfigKey> configKeys() {
  return kKeys;
}

std::span<const ConfigList> configLists() {
  return kLists;
}

}  // namespace virtseer

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/policy.h"

namespace virtseer {

/// The daemon of another host, `[[peers]]`.
struct PeerConfig {
  std::string name;                  ///< what people and plans call it; its host's name
  std::string url;                   ///< http://HOST:PORT
  std::filesystem::path token_file;  ///< the token that the daemon there takes
  std::string migration_uri;         ///< empty: qemu+tls://NAME/system
};

/// The daemon's configuration: every key of config/virtseer.toml, validated.
struct Config {
  struct {
    std::string level = "info";
  } log;
  struct {
    std::filesystem::path directory = "/var/lib/virtseer";
  } state;
  struct {
    std::vector<std::string> uris{"qemu:///system"};
    Millis interval{5000};  ///< statistics of all VMs
    Millis call_deadline{3000};
    std::uint32_t balloon_period_s = 5;   ///< set on VMs whose period is 0; 0: leave them alone
    Millis guest_agent_interval{30'000};  ///< questions to qemu-guest-agents; 0: none
    Millis dirty_rate_period{300'000};    ///< of one VM; 0: not measured
  } libvirt;
  struct {
    Millis interval{5000};  ///< what agents are told
    std::uint32_t top_processes = 10;
    std::vector<std::string> collectors;  ///< empty: all
    std::uint32_t max_faults = 8;         ///< faulty frames before a link is closed
    std::uint32_t max_frames_per_second = 50;
    Millis retry{2000};      ///< wait after a link's second failure in a row
    std::string listen_tls;  ///< "ADDRESS:PORT" for agents that call; empty: none
    std::filesystem::path tls_certificate, tls_key;
    std::uint32_t listen_vsock = 0;  ///< port; 0: none
    std::filesystem::path tokens;    ///< empty: agents in state.directory
    std::uint32_t max_clients = 1024;
  } echo;
  struct {
    std::string name;  ///< empty: the system's
    std::optional<double> cpus;
    std::optional<std::uint64_t> memory_bytes;
    double reserve_cpus = 0;
    std::uint64_t reserve_memory_bytes = 0;
    std::string cgroup;                 ///< path below the cgroup root; empty: the machine
    std::string disk_locks = "detect";  ///< or "yes" or "no": see diskLocks()
    Millis interval{5000};
    bool ebpf = true;  ///< programs in the kernel count what the processes of VMs do
  } host;
  struct {
    std::filesystem::path socket = "/run/virtseer/virtseer.sock";
    std::string listen;  ///< "ADDRESS:PORT", empty: no TCP
    std::filesystem::path
        token_file;  ///< read at start; needed for anything but reading from loopback
    std::vector<std::string> allowed_hosts;  ///< further names for the Host header
    std::uint32_t max_connections = 256;
    std::uint32_t max_body_bytes = 65536;
    Millis request_deadline{30000};
  } api;
  struct {
    Millis sync{1000};  ///< group commit of the journal
    std::uint32_t rows_per_chunk = 120;
    std::uint64_t cache_bytes = 16u << 20;
    std::uint64_t max_unwritten_bytes = 64u << 20;
    Millis tables_keep{std::chrono::hours(24 * 7)};
  } store;
  struct {
    Millis step{5000};  ///< of the series that is foreseen: a peak is the highest mean of one step
    std::vector<Millis> horizons{std::chrono::minutes(15), std::chrono::hours(1)};
  } forecast;
  PolicyConfiguration policy;  ///< `[policy]` and `[[policy.rules]]`
  struct {
    Millis round{5000};
    double threshold = 0.5;
    Millis act_within{30 * 60'000};
    double target_limit = 0.2;
    double margin = 0.2;
    std::uint32_t hold_rounds = 3;
    std::uint32_t quiet_rounds = 6;
    Millis settle{60'000};
    Millis cooldown{15 * 60'000};
    Millis cooldown_longest{24 * 3600'000};
    std::uint32_t in_flight = 2;
    std::uint32_t in_flight_per_host = 1;
    std::uint32_t per_hour = 6;
    double contended_share = 0.1;  ///< of a host's cores that its VMs wait for: it is contended
    std::uint32_t contended_rounds = 3;
  } plan;
  struct {
    Millis watch{60'000};
    Millis echo_back{15'000};
    Millis stall{60'000};
    Millis downtime_limit{300};
    std::uint64_t bandwidth_bytes_per_s = 0;  ///< 0: libvirt's own
    std::uint32_t at_once = 2;
  } migration;
  std::vector<PeerConfig> peers;
};

/// Whether a lock manager guards the disks of this host's VMs, as host.disk_locks says; nullopt: it
/// says that libvirt's configuration is to be looked into.
std::optional<bool> diskLocks(const Config& config);

/// One fault of a configuration file, with the place where it stands.
struct ConfigFault {
  std::string file;
  std::uint32_t line = 0;  ///< 0: the whole file
  std::string key;         ///< dotted; empty: the file itself
  std::string message;     ///< what is wrong and what would be right
};

/// `FILE:LINE: KEY: MESSAGE`, control characters escaped.
std::string text(const ConfigFault& fault);

struct LoadedConfig {
  Config config;
  std::vector<ConfigFault> faults;  ///< all of them; if any, `config` must not be used
};

/// Reads `file` and then every `*.toml` of the folder `conf.d` beside it, in order of their names,
/// later ones over earlier ones. A missing `file` is a fault; a missing `conf.d` is not. Blocks.
LoadedConfig loadConfig(const std::filesystem::path& file);

}  // namespace virtseer

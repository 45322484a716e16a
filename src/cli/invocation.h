#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"

namespace virtseer::cli {

inline constexpr const char* kDefaultConfig = "/etc/virtseer/virtseer.toml";
inline constexpr const char* kDefaultSocket = "/run/virtseer/virtseer.sock";
inline constexpr const char* kDefaultAppliance = "/usr/lib/virtseer/appliance";

/// Where the daemon answers: its UNIX socket, or `url` if that is set.
struct Connection {
  std::string socket = kDefaultSocket;
  std::string url;         ///< http://HOST:PORT
  std::string token_file;  ///< for `url`
};

enum class Output { table, json };

// One structure per command, its options as the user gave them, validated in form.
struct RunDaemon {
  std::string config = kDefaultConfig;
};
struct ShowStatus {};
struct ShowHosts {};
struct ShowVms {
  bool gone = false;
};
struct ShowVm {
  std::string name;
  bool echo = false;  ///< everything that the guest told last
};
struct ShowTop {
  std::string vm;
  std::string table = "processes";
  std::string at;  ///< empty: now
};
struct ShowCollection {
  std::string vm;
  std::optional<Millis> interval;
  std::optional<unsigned> top;
  std::vector<std::string> collectors;
  bool defaults = false;  ///< takes back what was said of this VM, before what else is given
};
struct ShowSeries {
  std::string name;    ///< of a VM or host
  std::string metric;  ///< empty: the names of all series
  std::string from, to, step, aggregation, source;
  std::vector<std::string> labels;  ///< KEY=VALUE
};
struct ShowEvents {
  std::string vm, from, to, severity, kind;
  std::optional<unsigned> limit;
  std::optional<std::uint64_t> before;  ///< an event's id: only older ones
};
struct OrderLoad {
  std::string vm;
  double cpu_cores = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t disk_bytes_per_second = 0;
  Millis ramp{0};
  Millis duration{0};  ///< zero: stop
};
struct ShowForecast {
  std::string vm;
};
struct ShowPlan {};
struct RankHosts {
  std::string vm;
};
struct Explain {
  std::string id;  ///< of a plan, a step or an operation
};
struct MigrateVm {
  std::string vm;
  std::string to;  ///< empty: the best host
  bool dry_run = false;
  bool copy_storage = false;
  bool wait = false;
  std::optional<Millis> timeout;  ///< of the wait; absent: none
};
struct ShowOperations {
  bool active = false;
  std::string vm;
  std::optional<unsigned> limit;
};
struct ShowOperation {
  std::string id;
};
struct AbortOperation {
  std::string id;
  bool fenced = false;  ///< a person's word that the silent host is off for good
};
struct ShowPolicy {
  std::string vm;
};
struct SetMaintenance {
  std::string host;
  bool on = false;
};
struct Automate {
  std::optional<bool> on;  ///< absent: only tell
};
struct EnrollVm {
  std::string vm;
  bool dry_run = false;
  bool remove = false;
  std::string way = {};  ///< "vsock" or "tls"; empty: its channel
  std::string address = {};
  bool show_token = false;
  bool next_start = false;
};
struct ShowDoctor {
  bool strict = false;  ///< warnings count as errors do
};
struct CheckConfig {
  std::string file = kDefaultConfig;
};
struct ShowConfig {
  std::string file = kDefaultConfig;
};
struct BuildAppliance {
  std::string kernel;  ///< a .deb; empty: downloaded by apt
  std::string directory = kDefaultAppliance;
  std::string agent;  ///< empty: the one that belongs to this binary
};

using Command = std::variant<RunDaemon, ShowStatus, ShowHosts, ShowVms, ShowVm, ShowSeries,
                             ShowEvents, OrderLoad, ShowTop, ShowCollection, ShowForecast, ShowPlan,
                             RankHosts, Explain, MigrateVm, ShowOperations, ShowOperation,
                             AbortOperation, ShowPolicy, SetMaintenance, Automate, CheckConfig,
                             ShowConfig, BuildAppliance, EnrollVm, ShowDoctor>;

struct Invocation {
  Connection connection;
  Output output = Output::table;
  Command command;
};

/// What the command line says: an invocation, or what to print and return instead.
struct Parsed {
  std::optional<Invocation> invocation;
  int exit_code = 0;
  std::string out, err;
};

/// `arguments` without the program's name.
Parsed parse(std::vector<std::string> arguments);

/// Every command as `virtseer` takes it ("vms", "config check"), each with its long options.
struct CommandName {
  std::string name;
  std::vector<std::string> options;
};
std::vector<CommandName> commandNames();

}  // namespace virtseer::cli

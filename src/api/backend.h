#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/echo_view.h"
#include "base/result.h"
#include "model/event.h"
#include "model/machine.h"
#include "model/series.h"
#include "virtseer/echo/wire.h"

namespace virtseer::api {

/// What a VM uses now, over the last `window_seconds`; absent where no input says it.
struct VmUsage {
  double window_seconds = 0;
  std::optional<double> cpu_cores;        ///< CPU time of the VM on the host, per second (libvirt)
  std::optional<double> cpu_delay_cores;  ///< time its vCPUs waited for a host CPU, per second
  std::optional<double> guest_cpu_cores;  ///< CPU time used inside, per second
  std::optional<double> memory_used_bytes;  ///< total less available: from inside, else the balloon
  std::optional<double> memory_total_bytes;
  std::optional<double> memory_rss_bytes;  ///< of the VM's process on the host
  std::optional<double> swap_used_bytes;
  std::optional<double> disk_read_bytes_per_second, disk_write_bytes_per_second;
  std::optional<double> disk_read_latency_seconds, disk_write_latency_seconds;
  std::optional<double> network_receive_bytes_per_second, network_transmit_bytes_per_second;
  std::optional<double> pressure_cpu_ratio, pressure_memory_ratio, pressure_io_ratio;  ///< 'some'
  std::optional<double> work_units_per_second;  ///< lab guests and shadows only
};

/// A VM as the API shows it.
struct VmView {
  Vm vm;
  Uuid host;
  std::string host_name;
  AgentLink agent;
  VmUsage usage;
  std::vector<std::string> inputs;  ///< "agent", "libvirt", "balloon", "qemu-guest-agent"
  std::vector<std::string>
      missing_inputs;      ///< each with what to do: "balloon: statistics period is 0 ..."
  bool timed_out = false;  ///< the hypervisor's figures are the last known ones
  std::optional<Timestamp> last_seen;
  std::optional<GuestFacts> guest = std::nullopt;  ///< what qemu-guest-agent said last
};

struct HostUsage {
  std::optional<double> cpu_cores;  ///< used, of what belongs to this host
  std::optional<double> memory_used_bytes;
  std::optional<double> pressure_cpu_ratio, pressure_memory_ratio, pressure_io_ratio;
  std::optional<double> vms_cpu_cores;  ///< sum over running VMs
  std::optional<double> vms_cpu_delay_cores;
  std::optional<std::uint32_t> vms_running;
  std::optional<std::uint32_t> vms_total;
};

/// A host as the API shows it. The UUID of a peer that was never heard is nil.
struct HostView {
  Host host;
  HostUsage usage;
  std::string peer;     ///< what the configuration calls it; empty: this host
  bool answers = true;  ///< its daemon did, when it was asked last
  bool maintenance = false;
  std::optional<Timestamp> heard;  ///< its daemon's last answer, by our clock
  std::string error;               ///< why its daemon does not answer
};

/// One value in memory.
struct LatestView {
  StreamId stream;
  SeriesName name;
  Timestamp time;
  double value = 0;
};

/// A series' name and whether it lives.
struct SeriesView {
  StreamId stream;
  SeriesName name;
  std::optional<Timestamp> last;
};

struct SeriesQuery {
  std::string metric;  ///< exact
  Labels labels;       ///< all must match; others are free
  std::optional<Source> source;
  Timestamp from, to;
  Millis step{0};  ///< 0: raw points, or one step where an aggregation is asked for
  Aggregation aggregation = Aggregation::none;
  std::size_t limit = 100'000;  ///< points in all; beyond it `truncated` is set
};

struct SeriesAnswer {
  std::vector<Series> series;
  bool truncated = false;
  std::uint32_t damaged_chunks = 0;
};

struct EventFilter {
  std::optional<Timestamp> from, to;
  std::optional<Uuid> entity;
  std::optional<Severity> at_least;
  std::string kind_prefix;
  std::optional<std::uint64_t> before_id;
  std::size_t limit = 100;
};

struct EnvironmentHealth {
  std::string uri;
  bool connected = false;
  std::string error;
  std::optional<Timestamp> since;
  std::uint64_t reconnects = 0, calls_timed_out = 0, calls_stuck = 0;
};

/// How the daemon itself is. `problems` empty means well.
struct Health {
  std::string version;
  Timestamp started;
  std::vector<std::string> problems;  ///< each a sentence that says what to do
  std::vector<EnvironmentHealth> environments;
  bool maintenance = false;  ///< of this host
  bool automation = true;    ///< false: the global stop holds
  bool store_open = false;
  std::string store_error;
  std::uint64_t rows = 0, samples = 0, late = 0, overflow = 0, damaged = 0;
  std::uint64_t streams = 0, series = 0, journal_bytes = 0, disk_bytes = 0;
  std::uint64_t agents_connected = 0, echo_duplicates = 0, echo_lost = 0, echo_faults = 0;
  /// Of agents that call over TLS or vsock: clients now, and what became of calls.
  std::uint64_t callers = 0, calls_accepted = 0, calls_denied = 0, calls_turned_away = 0,
                calls_failed = 0;
  std::uint64_t happenings = 0;          ///< told by guests and kept as events
  std::uint64_t happenings_dropped = 0;  ///< beyond what a guest may tell
  std::uint64_t tables_dropped = 0;      ///< told by guests and not kept, since not written
  std::uint64_t missed_beats = 0;        ///< rounds of statistics that did not come in time
  std::uint64_t refused_values = 0;      ///< values left out: their stream has too many series
  std::uint64_t link_failures = 0;  ///< agent links begun again after a fault of the daemon itself
  std::uint64_t events_dropped = 0, requests_refused = 0;
  double loop_lag_seconds_max = 0;  ///< over the last minute
  double cpu_seconds = 0;           ///< of this process since its start
  std::uint64_t rss_bytes = 0;
};

/// What is asked of a guest by `virtseer load`.
struct LoadOrder {
  double cpu_cores = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t disk_bytes_per_second = 0;
  Millis ramp{0};
  Millis duration{0};
};

/// What the API needs of the daemon. Loop thread. `vm` arguments are a UUID or a name; a name that
/// two VMs share fails with Code::invalid and both UUIDs.
class Backend {
 public:
  virtual ~Backend() = default;
  /// This host first, then its peers.
  virtual std::vector<HostView> hosts() = 0;
  /// `gone`: also those known from history only.
  virtual std::vector<VmView> vms(bool gone) = 0;
  virtual Result<VmView> vm(const std::string& vm) = 0;
  virtual Result<std::vector<SeriesView>> seriesNames(const std::string& entity) = 0;
  /// `entity`: a VM's or host's name or UUID.
  virtual boost::asio::awaitable<Result<SeriesAnswer>> series(std::string entity,
                                                              SeriesQuery query) = 0;
  virtual Result<std::vector<LatestView>> latest(const std::string& entity) = 0;
  /// VMs that are present, and this host.
  virtual std::vector<Uuid> entities() = 0;
  /// A VM's or host's name for the labels of /metrics; empty if not known.
  virtual std::string entityName(Uuid entity) = 0;
  virtual boost::asio::awaitable<Result<EventPage>> events(EventFilter filter) = 0;
  virtual Health health() = 0;
  /// Refused unless the VM's role is lab or shadow. Returns the order's id once the guest took it
  /// on.
  virtual boost::asio::awaitable<Result<std::uint64_t>> load(std::string vm, LoadOrder order) = 0;
  /// Everything that the guest told last.
  virtual boost::asio::awaitable<Result<EchoView>> echo(std::string vm) = 0;
  /// A table of the guest as it was at `at`; absent: now.
  virtual boost::asio::awaitable<Result<VmTable>> table(std::string vm, std::string table,
                                                        std::optional<Timestamp> at) = 0;
  virtual Result<CollectionView> collection(const std::string& vm) = 0;
  /// Tells the agent at once if it is connected; returns once it is kept.
  virtual boost::asio::awaitable<Result<CollectionView>> setCollection(std::string vm,
                                                                       CollectionChange change) = 0;
  /// Entity of an event filter: a VM's or host's name or UUID.
  virtual Result<Uuid> entity(const std::string& entity) = 0;
};

}  // namespace virtseer::api

#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/backend.h"
#include "base/time.h"
#include "collect/agent_links.h"
#include "collect/agent_listener.h"
#include "collect/guest_survey.h"
#include "daemon/collection.h"
#include "daemon/guest_tables.h"
#include "daemon/inventory.h"
#include "daemon/store_keeper.h"
#include "daemon/usage.h"
#include "fleet/peers.h"
#include "model/doctor.h"
#include "model/operation.h"

namespace virtseer::daemon {

/// What the service tells the backend about parts that it alone knows. All on the loop.
struct Parts {
  std::function<AgentLink(Uuid vm)> agent;
  std::function<collect::AgentTotals()> agents;
  std::function<collect::CallCounts()> calls;
  /// Of all collectors but the agents' links.
  std::function<collect::CollectCounts()> collected;
  /// The VM was too busy for the hypervisor to answer: its figures are the last known.
  std::function<bool(Uuid vm)> timed_out;
  std::function<std::vector<api::EnvironmentHealth>()> environments;
  std::function<boost::asio::awaitable<Result<std::uint64_t>>(Uuid vm, api::LoadOrder order)> load;
  /// Settings of the host that cannot be followed, each with what to do.
  std::function<std::vector<std::string>()> host_faults;
  std::function<double()> worst_loop_lag_seconds;
  std::function<std::uint64_t()> requests_refused;
  std::function<std::vector<fleet::PeerState>()> peers;
  std::function<std::vector<Duplicate>()> duplicates;  ///< VMs that run on several hosts
  std::function<bool()> maintenance;                   ///< of this host
  std::function<bool()> automation;                    ///< no global stop holds
  /// Newest first; none while it is not known what was under way.
  std::function<std::vector<Operation>()> operations;
  /// Tells the VM's agent what it is to collect now; false if it is not connected.
  std::function<bool(Uuid vm)> instruct;
  std::function<void(Event)> report;
  GuestTables* tables = nullptr;     ///< outlives the backend
  Collection* collection = nullptr;  ///< the same
  /// Of echoes: with a longer one a VM that does well is taken for silent after a move.
  std::optional<Millis> longest_interval = {};
  /// What its qemu-guest-agent says.
  std::function<collect::GuestSurvey::View(Uuid vm)> guest;
};

/// The API's view of the daemon. Loop thread only.
class DaemonBackend final : public api::Backend {
 public:
  DaemonBackend(const Clock& clock, Inventory& inventory, StoreKeeper& store, Parts parts,
                Millis usage_window);

  std::vector<api::HostView> hosts() override;
  std::vector<api::VmView> vms(bool gone) override;
  Result<api::VmView> vm(const std::string& vm) override;
  Result<std::vector<api::SeriesView>> seriesNames(const std::string& entity) override;
  boost::asio::awaitable<Result<api::SeriesAnswer>> series(std::string entity,
                                                           api::SeriesQuery query) override;
  Result<std::vector<api::LatestView>> latest(const std::string& entity) override;
  std::vector<Uuid> entities() override;
  std::string entityName(Uuid entity) override;
  boost::asio::awaitable<Result<EventPage>> events(api::EventFilter filter) override;
  api::Health health() override;
  /// Another store serves from now on.
  void storeSwapped() { usage_.forget(); }
  boost::asio::awaitable<Result<std::uint64_t>> load(std::string vm, api::LoadOrder order) override;
  Result<Uuid> entity(const std::string& entity) override;
  boost::asio::awaitable<Result<api::EchoView>> echo(std::string vm) override;
  boost::asio::awaitable<Result<api::VmTable>> table(std::string vm, std::string table,
                                                     std::optional<Timestamp> at) override;
  Result<api::CollectionView> collection(const std::string& vm) override;
  boost::asio::awaitable<Result<api::CollectionView>> setCollection(
      std::string vm, api::CollectionChange change) override;
  /// The last value of a stream's first series of that metric.
  std::optional<double> latestOf(StreamId stream, std::string_view metric);
  /// How a VM here does, without its I/O errors; of one that is not known, nothing.
  Wellbeing wellbeing(const Uuid& uuid);

 private:
  api::HostView self();
  api::VmView view(const Vm& vm);
  std::vector<StreamId> streamsOf(Uuid entity);
  std::vector<api::EchoValue> echoValues(Uuid vm, Timestamp last, Millis interval);
  boost::asio::awaitable<Result<void>> recallTables(Uuid vm);
  api::CollectionView collectionOf(const Vm& vm);
  Millis usageWindow(Uuid vm) const;
  void addLatest(StreamId stream, std::vector<api::LatestView>& out);
  std::vector<std::string> problems(const api::Health& health);

  const Clock& clock_;
  Inventory& inventory_;
  StoreKeeper& store_;
  const Parts parts_;
  const Millis usage_window_;
  UsageReader usage_;
  const Timestamp started_;
};

/// Which inputs a VM has, and for each that it lacks a sentence that says what to do.
struct Inputs {
  std::vector<std::string> present, missing;
};
Inputs inputsOf(const Vm& vm, const AgentLink& agent, bool balloon_reports,
                const collect::GuestSurvey::View& guest = {});

}  // namespace virtseer::daemon

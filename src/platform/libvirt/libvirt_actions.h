#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "platform/environment.h"
#include "platform/libvirt/cpu_expander.h"
#include "platform/libvirt/lane.h"

namespace virtseer::platform {

/// See platform/actions.h. Owned by LibvirtEnvironment. What is asked and what is done have lanes
/// of their own, and each migration has a thread and a connection of its own.
class LibvirtActions final : public Actions {
 public:
  /// `status` tells whether there is a libvirt; it outlives this.
  LibvirtActions(boost::asio::any_io_executor loop, ConnectionSource source,
                 const Environment::Status& status, Millis deadline,
                 std::optional<bool> disk_locks);

  boost::asio::awaitable<Result<std::vector<PlacedVm>>> placed() override;
  boost::asio::awaitable<Result<HostState>> host() override;
  boost::asio::awaitable<Result<Presence>> presence(Uuid vm) override;
  boost::asio::awaitable<Result<VmDefinition>> definition(Uuid vm) override;
  boost::asio::awaitable<Result<Admission>> admits(std::string live_xml, bool copy_storage,
                                                   std::vector<DiskCopy> copied) override;
  boost::asio::awaitable<Result<MigrateEnd>> migrate(MigrateOrder order) override;
  boost::asio::awaitable<Result<MigrationProgress>> progress(Uuid vm) override;
  boost::asio::awaitable<Result<void>> abortJob(Uuid vm) override;
  boost::asio::awaitable<Result<void>> setAutostart(Uuid vm, bool on) override;
  boost::asio::awaitable<Result<void>> removeManagedSave(Uuid vm) override;
  boost::asio::awaitable<Result<void>> suspend(Uuid vm) override;
  boost::asio::awaitable<Result<void>> resume(Uuid vm) override;
  boost::asio::awaitable<Result<void>> start(Uuid vm, std::string xml) override;
  boost::asio::awaitable<Result<void>> destroy(Uuid vm) override;
  boost::asio::awaitable<Result<void>> define(std::string xml) override;
  boost::asio::awaitable<Result<void>> undefine(Uuid vm) override;
  boost::asio::awaitable<Result<void>> setAside(std::string path, std::string new_path) override;
  boost::asio::awaitable<Result<void>> deleteVolume(std::string path) override;
  boost::asio::awaitable<Result<EnrollFacts>> enrollFacts(Uuid vm) override;
  boost::asio::awaitable<Result<void>> setEchoChannel(Uuid vm, bool present,
                                                      Affects where) override;
  boost::asio::awaitable<Result<void>> setBalloonPeriod(Uuid vm, std::chrono::seconds period,
                                                        Affects where) override;

  /// Called when something of a VM was changed of which libvirt gives no event.
  void onChanged(std::function<void(const Uuid&)> changed) { changed_ = std::move(changed); }

  /// What libvirt measured of a migration comes as a notice.
  void jobCompleted(const Notice& notice);
  /// The connection to libvirt ended: later calls open others.
  void renew();
  BlockingPool::Counts counts() const;

 private:
  /// A migration that is awaited.
  struct Moving {
    explicit Moving(boost::asio::any_io_executor loop) : told(std::move(loop)) {}
    std::optional<MigrateEnd> figures;
    boost::asio::steady_timer told;
  };
  class Registration;

  template <class Job>
  boost::asio::awaitable<std::invoke_result_t<Job&, const std::shared_ptr<Connection>&>> call(
      Lane* lane, std::string what, Millis deadline, Job job);
  /// A function of acts.h that takes the VM and nothing else.
  template <class Job>
  boost::asio::awaitable<Result<void>> act(Uuid vm, Millis deadline, Job job);

  const boost::asio::any_io_executor loop_;
  const ConnectionSource source_;
  const Environment::Status& status_;
  const Millis deadline_;
  const std::optional<bool> disk_locks_;
  std::function<void(const Uuid&)> changed_;
  const std::shared_ptr<CpuExpander> cpus_ = std::make_shared<CpuExpander>();
  Lane asking_;
  Lane surveys_;  ///< what takes many calls
  Lane acts_;
  BlockingPool migrations_;
  std::map<Uuid, std::shared_ptr<Moving>> moving_;
};

}  // namespace virtseer::platform

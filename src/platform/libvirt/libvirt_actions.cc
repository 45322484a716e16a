#include "platform/libvirt/libvirt_actions.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "platform/libvirt/acts.h"
#include "platform/libvirt/disk_locks.h"
#include "platform/libvirt/survey.h"

namespace virtseer::platform {

namespace asio = boost::asio;

namespace {

/// libvirt's call blocks for as long as a link is down; a stalled move is the caller's to abort.
constexpr Millis kMigration = std::chrono::hours(24);
/// The measured figures come on another connection than the end of the call.
constexpr Millis kFiguresWithin{1000};
/// Starting and ending an emulator takes its time on a busy host.
constexpr Millis kEmulator{30'000};
/// libvirt waits for the guest to let go of a device (5 s), and for its own jobs.
constexpr Millis kDevice{30'000};
/// Many calls in one, on disks that may sleep.
constexpr Millis kSurvey{30'000};

bool findsLocks(const std::string& uri) {
  const auto folder = driverFolder(uri);
  return folder && takesLeases(*folder);
}

}  // namespace

LibvirtActions::LibvirtActions(asio::any_io_executor loop, ConnectionSource source,
                               const Environment::Status& status, Millis deadline,
                               std::optional<bool> disk_locks)
    : loop_(loop),
      source_(source),
      status_(status),
      deadline_(deadline),
      disk_locks_(disk_locks),
      asking_(loop, source, "virt-asking", 3, Connection::Access::full),
      surveys_(loop, source, "virt-surveys", 2, Connection::Access::full),
      acts_(loop, source, "virt-acts", 3, Connection::Access::full),
      migrations_(loop, "virt-migrations", {8, 16, 16}) {}

template <class Job>
asio::awaitable<std::invoke_result_t<Job&, const std::shared_ptr<Connection>&>>
LibvirtActions::call(Lane* lane, std::string what, Millis deadline, Job job) {
  if (!status_.connected) co_return fail(Code::unreachable, what + ": " + status_.error);
  co_return co_await lane->call(std::move(what), std::max(deadline, deadline_), std::move(job));
}

template <class Job>
asio::awaitable<Result<void>> LibvirtActions::act(Uuid vm, Millis deadline, Job job) {
  co_return co_await call(
      &acts_, "VM " + vm.text(), deadline,
      [vm, job](const std::shared_ptr<Connection>& connection) { return job(*connection, vm); });
}

void LibvirtActions::renew() {
  asking_.renew();
  surveys_.renew();
  acts_.renew();
  cpus_->forget();
}

BlockingPool::Counts LibvirtActions::counts() const {
  BlockingPool::Counts out;
  // Migrations that nobody waits for any more are no sign of a stuck libvirt.
  for (const Lane* lane : {&asking_, &surveys_, &acts_}) {
    const auto counts = lane->pool().counts();
    out.waiting += counts.waiting;
    out.running += counts.running;
    out.abandoned += counts.abandoned;
    out.abandoned_total += counts.abandoned_total;
    out.refused_total += counts.refused_total;
  }
  return out;
}

asio::awaitable<Result<std::vector<PlacedVm>>> LibvirtActions::placed() {
  return call(&surveys_, "the VMs' needs", kSurvey,
              [cpus = cpus_](const std::shared_ptr<Connection>& connection) {
                return placedVms(*connection, *cpus);
              });
}

asio::awaitable<Result<HostState>> LibvirtActions::host() {
  return call(&surveys_, "the host's means", kSurvey,
              [cpus = cpus_, said = disk_locks_,
               uri = source_.uri](const std::shared_ptr<Connection>& connection) {
                auto out = hostMeans(*connection, *cpus);
                if (out) out->disk_locks = said.value_or(findsLocks(uri));
                return out;
              });
}

asio::awaitable<Result<Admission>> LibvirtActions::admits(std::string live_xml, bool copy_storage,
                                                          std::vector<DiskCopy> copied) {
  if (!copy_storage) copied.clear();
  return call(&surveys_, "pre-flight", kSurvey,
              [xml = std::move(live_xml),
               copied = std::move(copied)](const std::shared_ptr<Connection>& connection) {
                return admission(*connection, xml, copied);
              });
}

asio::awaitable<Result<Presence>> LibvirtActions::presence(Uuid vm) {
  return call(
      &asking_, "VM " + vm.text(), deadline_,
      [vm](const std::shared_ptr<Connection>& connection) { return presenceOf(*connection, vm); });
}

asio::awaitable<Result<VmDefinition>> LibvirtActions::definition(Uuid vm) {
  return call(&asking_, "VM " + vm.text(), deadline_,
              [vm](const std::shared_ptr<Connection>& connection) {
                return definitionOf(*connection, vm);
              });
}

asio::awaitable<Result<MigrationProgress>> LibvirtActions::progress(Uuid vm) {
  return call(
      &asking_, "VM " + vm.text(), deadline_,
      [vm](const std::shared_ptr<Connection>& connection) { return jobProgress(*connection, vm); });
}

/// Lets the notice of a migration's end find who awaits it.
class LibvirtActions::Registration {
 public:
  Registration(std::map<Uuid, std::shared_ptr<Moving>>& all, Uuid vm, std::shared_ptr<Moving> mine)
      : all_(all), vm_(vm) {
    all_[vm_] = std::move(mine);
  }
  ~Registration() { all_.erase(vm_); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  std::map<Uuid, std::shared_ptr<Moving>>& all_;
  const Uuid vm_;
};

void LibvirtActions::jobCompleted(const Notice& notice) {
  if (notice.detail != "migration_out" || !notice.vm) return;
  const auto found = moving_.find(*notice.vm);
  if (found == moving_.end()) return;
  found->second->figures = notice.job;
  found->second->told.cancel();
}

asio::awaitable<Result<MigrateEnd>> LibvirtActions::migrate(MigrateOrder order) {
  const auto what = "migration of VM " + order.vm.text();
  if (!status_.connected) co_return fail(Code::unreachable, what + ": " + status_.error);
  if (moving_.contains(order.vm)) co_return fail(Code::busy, what + " is under way already");
  const auto mine = std::make_shared<Moving>(loop_);
  const Registration registration(moving_, order.vm, mine);
  auto job = [source = source_, order]() -> Result<void> {
    const auto connection = source.open(Connection::Access::full);
    if (!connection) return fail(connection.error());
    return moveAway(**connection, order);
  };
  const auto moved = co_await migrations_.run(what, kMigration, std::move(job));
  if (!moved) co_return fail(moved.error());
  mine->told.expires_after(kFiguresWithin);
  boost::system::error_code ignored;
  if (!mine->figures)
    co_await mine->told.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_return mine->figures.value_or(MigrateEnd{});
}

asio::awaitable<Result<void>> LibvirtActions::abortJob(Uuid vm) {
  return call(
      &asking_, "VM " + vm.text(), deadline_,
      [vm](const std::shared_ptr<Connection>& connection) { return abortJobOf(*connection, vm); });
}

asio::awaitable<Result<void>> LibvirtActions::setAutostart(Uuid vm, bool on) {
  return act(vm, deadline_, [on](const Connection& connection, const Uuid& uuid) {
    return setAutostartOf(connection, uuid, on);
  });
}

asio::awaitable<Result<void>> LibvirtActions::removeManagedSave(Uuid vm) {
  return act(vm, deadline_, removeManagedSaveOf);
}

asio::awaitable<Result<void>> LibvirtActions::suspend(Uuid vm) {
  return act(vm, deadline_, suspendVm);
}

asio::awaitable<Result<void>> LibvirtActions::resume(Uuid vm) {
  return act(vm, deadline_, resumeVm);
}

asio::awaitable<Result<void>> LibvirtActions::start(Uuid vm, std::string xml) {
  return act(vm, kEmulator, [xml = std::move(xml)](const Connection& connection, const Uuid& uuid) {
    return startVm(connection, uuid, xml);
  });
}

asio::awaitable<Result<void>> LibvirtActions::destroy(Uuid vm) {
  return act(vm, kEmulator, destroyVm);
}

asio::awaitable<Result<void>> LibvirtActions::define(std::string xml) {
  return call(&acts_, "define a VM", deadline_,
              [xml = std::move(xml)](const std::shared_ptr<Connection>& connection) {
                return defineVm(*connection, xml);
              });
}

asio::awaitable<Result<void>> LibvirtActions::undefine(Uuid vm) {
  return act(vm, deadline_, undefineVm);
}

asio::awaitable<Result<void>> LibvirtActions::setAside(std::string path, std::string new_path) {
  return call(&surveys_, "set " + path + " aside", kSurvey,
              [path, new_path](const std::shared_ptr<Connection>& connection) {
                return renameInPool(*connection, path, new_path);
              });
}

asio::awaitable<Result<void>> LibvirtActions::deleteVolume(std::string path) {
  return call(&surveys_, "delete " + path, kSurvey,
              [path](const std::shared_ptr<Connection>& connection) {
                return deleteFromPools(*connection, path);
              });
}

asio::awaitable<Result<EnrollFacts>> LibvirtActions::enrollFacts(Uuid vm) {
  return call(&asking_, "VM " + vm.text(), deadline_,
              [vm](const std::shared_ptr<Connection>& connection) {
                return enrollFactsOf(*connection, vm);
              });
}

asio::awaitable<Result<void>> LibvirtActions::setEchoChannel(Uuid vm, bool present, Affects where) {
  const auto done =
      co_await act(vm, kDevice, [present, where](const Connection& connection, const Uuid& uuid) {
        return setEchoChannelOf(connection, uuid, present, where);
      });
  // Also after a failure: one of the two definitions may have changed.
  if (changed_) changed_(vm);
  co_return done;
}

asio::awaitable<Result<void>> LibvirtActions::setBalloonPeriod(Uuid vm, std::chrono::seconds period,
                                                               Affects where) {
  const auto done =
      co_await act(vm, deadline_, [period, where](const Connection& connection, const Uuid& uuid) {
        return setBalloonPeriodOf(connection, uuid, period, where);
      });
  if (changed_) changed_(vm);
  co_return done;
}

}  // namespace virtseer::platform

#include "platform/libvirt/notices.h"

#include <libvirt/libvirt.h>

#include <algorithm>

#include "base/text.h"
#include "platform/libvirt/job_figures.h"

namespace virtseer::platform {

namespace {

constexpr std::size_t kMaxTextBytes = 256;

/// What libvirt keeps for each callback.
struct Subscription {
  std::uint64_t session;
  std::shared_ptr<NoticeSink> sink;
};

void freeSubscription(void* opaque) noexcept {
  delete static_cast<Subscription*>(opaque);
}

std::string bounded(const char* text) {
  return printable(std::string_view(text ? text : "").substr(0, kMaxTextBytes));
}

void give(void* opaque, virDomainPtr domain, Notice::Kind kind, std::string detail,
          std::string reason = "", std::optional<MigrateEnd> job = {}) noexcept {
  const auto& subscription = *static_cast<Subscription*>(opaque);
  Notice notice{kind, Uuid{}, "", std::move(detail), std::move(reason), job};
  if (virDomainGetUUID(domain, notice.vm->bytes.data()) < 0) return;
  if (const char* name = virDomainGetName(domain)) notice.vm_name = toUtf8(name);
  subscription.sink->notice(subscription.session, std::move(notice));
}

int onLifecycle(virConnectPtr, virDomainPtr domain, int event, int detail, void* opaque) noexcept {
  give(opaque, domain, Notice::Kind::vm_lifecycle, std::string(lifecycleWord(event)),
       std::string(lifecycleReason(event, detail)));
  return 0;
}

void onReboot(virConnectPtr, virDomainPtr domain, void* opaque) noexcept {
  give(opaque, domain, Notice::Kind::vm_changed, "rebooted");
}

void onIoError(virConnectPtr, virDomainPtr domain, const char*, const char* device, int,
               const char* reason, void* opaque) noexcept {
  give(opaque, domain, Notice::Kind::io_error, bounded(device), bounded(reason));
}

void onMetadata(virConnectPtr, virDomainPtr domain, int, const char*, void* opaque) noexcept {
  give(opaque, domain, Notice::Kind::vm_changed, "metadata");
}

void onDeviceAdded(virConnectPtr, virDomainPtr domain, const char* device, void* opaque) noexcept {
  give(opaque, domain, Notice::Kind::vm_changed, "device added: " + bounded(device));
}

void onDeviceRemoved(virConnectPtr, virDomainPtr domain, const char* device,
                     void* opaque) noexcept {
  give(opaque, domain, Notice::Kind::vm_changed, "device removed: " + bounded(device));
}

void onTunable(virConnectPtr, virDomainPtr domain, virTypedParameterPtr, int,
               void* opaque) noexcept {
  give(opaque, domain, Notice::Kind::vm_changed, "tuning");
}

void onMigrationIteration(virConnectPtr, virDomainPtr domain, int iteration,
                          void* opaque) noexcept {
  give(opaque, domain, Notice::Kind::migration_iteration, std::to_string(iteration));
}

void onJobCompleted(virConnectPtr, virDomainPtr domain, virTypedParameterPtr values, int count,
                    void* opaque) noexcept {
  int operation = 0;
  int success = 1;
  virTypedParamsGetInt(values, count, VIR_DOMAIN_JOB_OPERATION, &operation);
  virTypedParamsGetBoolean(values, count, VIR_DOMAIN_JOB_SUCCESS, &success);
  give(opaque, domain, Notice::Kind::job_completed, std::string(jobWord(operation)),
       success ? "" : "failed", figuresOf({values, static_cast<std::size_t>(std::max(count, 0))}));
}

template <class Callback>
bool registerOne(Connection& connection, int event, Callback callback, const Subscription& data) {
  auto copy = std::make_unique<Subscription>(data);
  const int id = virConnectDomainEventRegisterAny(
      connection.get(), nullptr, event,
      // By way of void (*)(): libvirt casts it back to the type that belongs to the event.
      reinterpret_cast<virConnectDomainEventGenericCallback>(
          reinterpret_cast<void (*)()>(callback)),
      copy.get(), freeSubscription);
  if (id < 0) return false;
  copy.release();  // libvirt frees it
  connection.ownCallback(id);
  return true;
}

}  // namespace

void NoticeSink::notice(std::uint64_t session, Notice notice) noexcept {
  if (waiting_ >= kMaxWaiting) {
    lost_ = true;
    return;
  }
  ++waiting_;
  gate_->post([self = shared_from_this(), session, notice = std::move(notice)] {
    --self->waiting_;
    if (!self->receiver_.notice) return;
    self->receiver_.notice(session, notice);
    if (self->waiting_ > 0 || !self->lost_.exchange(false)) return;
    self->receiver_.notice(session, {Notice::Kind::connected, std::nullopt, "",
                                     "too many notices: some were dropped", ""});
  });
}

void NoticeSink::closed(std::uint64_t session, std::string why) noexcept {
  gate_->post([self = shared_from_this(), session, why = std::move(why)] {
    if (self->receiver_.closed) self->receiver_.closed(session, why);
  });
}

bool subscribe(Connection& connection, std::uint64_t session,
               const std::shared_ptr<NoticeSink>& sink) {
  const Subscription data{session, sink};
  connection.hub()->add([sink, session](const std::string& why) { sink->closed(session, why); });
  const bool lifecycle = registerOne(connection, VIR_DOMAIN_EVENT_ID_LIFECYCLE, onLifecycle, data);
  // Every driver has its own choice of the others.
  registerOne(connection, VIR_DOMAIN_EVENT_ID_REBOOT, onReboot, data);
  registerOne(connection, VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, onIoError, data);
  registerOne(connection, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, onMetadata, data);
  registerOne(connection, VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, onDeviceAdded, data);
  registerOne(connection, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, onDeviceRemoved, data);
  registerOne(connection, VIR_DOMAIN_EVENT_ID_TUNABLE, onTunable, data);
  registerOne(connection, VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, onMigrationIteration, data);
  registerOne(connection, VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, onJobCompleted, data);
  return lifecycle;
}

}  // namespace virtseer::platform

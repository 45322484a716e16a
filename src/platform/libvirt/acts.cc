#include "platform/libvirt/acts.h"

#include <libvirt/virterror.h>

#include "platform/libvirt/domain_xml.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/job_figures.h"
#include "platform/libvirt/job_values.h"
#include "platform/libvirt/local_disks.h"
#include "platform/libvirt/text_ptr.h"

namespace virtseer::platform {

namespace {

bool active(virDomainPtr domain) {
  return virDomainIsActive(domain) == 1;
}

/// Finds the VM and does it; an error tells `what`.
template <class Act>
Result<void> with(const Connection& connection, const Uuid& vm, std::string_view what, Act act) {
  const auto domain = findDomain(connection, vm);
  if (!domain) return fail(domain.error());
  if (act(domain->get()) < 0) return fail(lastError(what, connection.get()));
  return {};
}

Result<std::string> xmlOf(const Connection& connection, virDomainPtr domain, unsigned flags) {
  const Text xml(virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_SECURE | flags));
  if (!xml) return fail(lastError("XML", connection.get()));
  std::string out(xml.get());
  if (out.size() > kMaxXmlBytes) return fail(Code::full, "the VM's XML is too long");
  return out;
}

}  // namespace

Result<VmDefinition> definitionOf(const Connection& connection, const Uuid& vm) {
  const auto domain = findDomain(connection, vm);
  if (!domain) return fail(domain.error());
  const auto raw = domain->get();
  VmDefinition out;
  const int persistent = virDomainIsPersistent(raw);
  if (persistent < 0) return fail(lastError("definition", connection.get()));
  if (persistent == 1) {
    auto inactive = xmlOf(connection, raw, VIR_DOMAIN_XML_INACTIVE);
    if (!inactive) return fail(inactive.error());
    out.inactive = std::move(*inactive);
    int autostart = 0;
    if (virDomainGetAutostart(raw, &autostart) == 0) out.autostart = autostart != 0;
    out.managed_save = virDomainHasManagedSaveImage(raw, 0) == 1;
  }
  if (active(raw)) {
    // Not VIR_DOMAIN_XML_MIGRATABLE, which says how the processor was asked for and not what it is.
    auto live = xmlOf(connection, raw, 0);
    if (!live) return fail(live.error());
    out.live = std::move(*live);
    auto disks = sizedLocalDisks(connection, raw, out.live);
    if (!disks) return fail(disks.error());
    out.local_disks = std::move(*disks);
  }
  return out;
}

Result<MigrationProgress> jobProgress(const Connection& connection, const Uuid& vm) {
  const auto domain = findDomain(connection, vm);
  if (!domain) return fail(domain.error());
  const auto job = JobValues::get(domain->get());
  if (!job && lastErrorIsUnsupported())
    return fail(Code::not_found, "no job runs on the VM: this libvirt has none");
  if (!job) {
    auto error = lastError("progress", connection.get());
    if (virDomainIsActive(domain->get()) == 0)
      return fail(Code::not_found, "no job runs on the VM: it is off");
    return fail(std::move(error));
  }
  if (job->type == VIR_DOMAIN_JOB_NONE) return fail(Code::not_found, "no job runs on the VM");
  return progressOf(job->values());
}

Result<void> abortJobOf(const Connection& connection, const Uuid& vm) {
  return with(connection, vm, "abort the job", virDomainAbortJob);
}

Result<void> setAutostartOf(const Connection& connection, const Uuid& vm, bool on) {
  return with(connection, vm, "set autostart",
              [on](virDomainPtr domain) { return virDomainSetAutostart(domain, on ? 1 : 0); });
}

Result<void> removeManagedSaveOf(const Connection& connection, const Uuid& vm) {
  return with(connection, vm, "remove the managed save", [](virDomainPtr domain) {
    const int saved = virDomainHasManagedSaveImage(domain, 0);
    return saved == 1 ? virDomainManagedSaveRemove(domain, 0) : saved;
  });
}

Result<void> suspendVm(const Connection& connection, const Uuid& vm) {
  return with(connection, vm, "suspend", virDomainSuspend);
}

Result<void> resumeVm(const Connection& connection, const Uuid& vm) {
  return with(connection, vm, "resume", virDomainResume);
}

Result<void> startVm(const Connection& connection, const Uuid& vm, const std::string& xml) {
  const auto domain = findDomain(connection, vm);
  if (domain) {
    if (virDomainCreate(domain->get()) < 0) return fail(lastError("start", connection.get()));
    return {};
  }
  if (domain.error().code != Code::not_found || xml.empty()) return fail(domain.error());
  const auto facts = parseDomainXml(xml);
  if (!facts || facts->uuid != vm)
    return fail(Code::invalid, "start: the XML is not that of VM " + vm.text());
  const DomainPtr made(virDomainCreateXML(connection.get(), xml.c_str(), 0));
  if (!made) return fail(lastError("start", connection.get()));
  return {};
}

Result<void> destroyVm(const Connection& connection, const Uuid& vm) {
  const auto domain = findDomain(connection, vm);
  if (!domain) {
    if (domain.error().code == Code::not_found) return {};
    return fail(domain.error());
  }
  if (virDomainDestroy(domain->get()) == 0) return {};
  auto error = lastError("destroy", connection.get());
  if (error.code == Code::not_found || virDomainIsActive(domain->get()) == 0) return {};
  return fail(std::move(error));
}

Result<void> defineVm(const Connection& connection, const std::string& xml) {
  if (xml.size() > kMaxXmlBytes) return fail(Code::invalid, "define: the XML is too long");
  const DomainPtr made(virDomainDefineXML(connection.get(), xml.c_str()));
  if (!made) return fail(lastError("define", connection.get()));
  return {};
}

Result<void> undefineVm(const Connection& connection, const Uuid& vm) {
  const auto domain = findDomain(connection, vm);
  if (!domain) {
    if (domain.error().code == Code::not_found) return {};
    return fail(domain.error());
  }
  if (virDomainIsPersistent(domain->get()) == 0) return {};
  constexpr unsigned kFlags = VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_TPM |
                              VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA;
  if (virDomainUndefineFlags(domain->get(), kFlags) == 0) return {};
  // Drivers without firmware variables know none of these flags.
  const virError* error = virGetLastError();
  const bool unknown_flags = error && error->code == VIR_ERR_INVALID_ARG;
  if (unknown_flags && virDomainUndefineFlags(domain->get(), 0) == 0) return {};
  auto failure = lastError("undefine", connection.get());
  if (failure.code == Code::not_found) return {};
  return fail(std::move(failure));
}

}  // namespace virtseer::platform

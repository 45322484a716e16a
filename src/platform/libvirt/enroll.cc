#include "platform/libvirt/acts.h"
#include "platform/libvirt/domain_xml.h"
#include "platform/libvirt/enroll_xml.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/text_ptr.h"

// The echo channel of a VM, and the period of its balloon's statistics.

namespace virtseer::platform {

namespace {

/// One of the two definitions, as it is now.
Result<EnrollXml> readSide(const Connection& connection, virDomainPtr domain, unsigned flags) {
  const Text xml(virDomainGetXMLDesc(domain, flags));
  if (!xml) return fail(lastError("XML", connection.get()));
  auto out = parseEnrollXml(xml.get());
  if (!out) return fail(Code::failed, "the VM's XML cannot be read");
  return std::move(*out);
}

Result<void> detach(const Connection& connection, virDomainPtr domain, const EnrollXml& side,
                    unsigned flag) {
  if (side.channel.empty()) return {};
  if (virDomainDetachDeviceFlags(domain, side.channel.c_str(), flag) == 0) return {};
  return fail(lastError("take the channel away", connection.get()));
}

Result<void> addChannel(const Connection& connection, virDomainPtr domain, Affects where) {
  unsigned flags = 0;
  if (where.live) {
    const auto live = readSide(connection, domain, 0);
    if (!live) return fail(live.error());
    if (live->channel.empty()) flags |= VIR_DOMAIN_AFFECT_LIVE;
  }
  if (where.config) {
    const auto config = readSide(connection, domain, VIR_DOMAIN_XML_INACTIVE);
    if (!config) return fail(config.error());
    if (config->channel.empty()) flags |= VIR_DOMAIN_AFFECT_CONFIG;
  }
  if (flags == 0) return {};
  if (virDomainAttachDeviceFlags(domain, echoChannelXml().c_str(), flags) == 0) return {};
  return fail(lastError("add the channel", connection.get()));
}

/// Each definition names the channel in its own way: the running VM's has a path and an address.
Result<void> removeChannel(const Connection& connection, virDomainPtr domain, Affects where) {
  for (const bool live : {false, true}) {
    if (live ? !where.live : !where.config) continue;
    const auto side = readSide(connection, domain, live ? 0 : VIR_DOMAIN_XML_INACTIVE);
    if (!side) return fail(side.error());
    const auto done =
        detach(connection, domain, *side, live ? VIR_DOMAIN_AFFECT_LIVE : VIR_DOMAIN_AFFECT_CONFIG);
    if (!done) return done;
  }
  return {};
}

Result<void> changeable(const Connection& connection, virDomainPtr domain, Affects where) {
  const int active = virDomainIsActive(domain), persistent = virDomainIsPersistent(domain);
  if (active < 0 || persistent < 0) return fail(lastError("VM", connection.get()));
  if (where.live && active == 0) return fail(Code::failed, "the VM does not run");
  if (where.config && persistent == 0) return fail(Code::failed, "the VM is transient");
  return {};
}

}  // namespace

Result<EnrollFacts> enrollFactsOf(const Connection& connection, const Uuid& vm) {
  const auto domain = findDomain(connection, vm);
  if (!domain) return fail(domain.error());
  auto presence = presenceOf(connection, vm);
  if (!presence) return fail(presence.error());
  EnrollFacts out;
  out.vm = vm;
  if (const char* driver = virConnectGetType(connection.get())) out.driver = driver;
  const auto take = [&](EnrollXml&& side, std::optional<EnrollSide>& into) {
    into = side.side;
    out.name = std::move(side.name);
    out.machine = std::move(side.machine);
    if (side.metadata) out.metadata = std::move(side.metadata);
    if (!side.managed_by.empty()) out.managed_by = std::move(side.managed_by);
  };
  if (presence->defined) {
    auto config = readSide(connection, domain->get(), VIR_DOMAIN_XML_INACTIVE);
    if (!config) return fail(config.error());
    take(std::move(*config), out.config);
  }
  if (presence->state != Presence::State::off && presence->state != Presence::State::absent) {
    auto live = readSide(connection, domain->get(), 0);
    if (!live) return fail(live.error());
    take(std::move(*live), out.live);
  }
  out.saved = presence->state == Presence::State::off &&
              virDomainHasManagedSaveImage(domain->get(), 0) == 1;
  out.presence = std::move(*presence);
  return out;
}

Result<void> setEchoChannelOf(const Connection& connection, const Uuid& vm, bool present,
                              Affects where) {
  const auto domain = findDomain(connection, vm);
  if (!domain) return fail(domain.error());
  if (auto may = changeable(connection, domain->get(), where); !may) return may;
  return present ? addChannel(connection, domain->get(), where)
                 : removeChannel(connection, domain->get(), where);
}

Result<void> setBalloonPeriodOf(const Connection& connection, const Uuid& vm,
                                std::chrono::seconds period, Affects where) {
  const auto domain = findDomain(connection, vm);
  if (!domain) return fail(domain.error());
  if (auto may = changeable(connection, domain->get(), where); !may) return may;
  const unsigned flags =
      (where.live ? VIR_DOMAIN_AFFECT_LIVE : 0u) | (where.config ? VIR_DOMAIN_AFFECT_CONFIG : 0u);
  if (flags == 0) return {};
  if (virDomainSetMemoryStatsPeriod(domain->get(), static_cast<int>(period.count()), flags) < 0)
    return fail(lastError("set the balloon's period", connection.get()));
  return {};
}

}  // namespace virtseer::platform

#include <fmt/format.h>
#include <libvirt/virterror.h>

#include "base/text.h"
#include "platform/libvirt/disk_admission.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/survey.h"
#include "platform/libvirt/text_ptr.h"

namespace virtseer::platform {

namespace {

using Checks = std::vector<Check>;

constexpr std::size_t kShownBytes = 200;

std::string shown(std::string_view text) {
  return printable(text.substr(0, kShownBytes));
}

void add(Checks& out, std::string name, bool held, std::string words) {
  out.push_back({printable(name), held, std::move(words)});
}

void checkIdentity(const Connection& connection, const PlacementXml& vm, Checks& out) {
  const DomainPtr same(virDomainLookupByUUID(connection.get(), vm.uuid.bytes.data()));
  const bool active = same && virDomainIsActive(same.get()) == 1;
  add(out, "identity", !same || active,
      same && !active ? "a VM with this UUID is defined here and off: undefine it"
                      : "no VM that is off has this UUID here");
  add(out, "active", !active,
      active ? "the VM is active here already" : "the VM is not active here");
  const DomainPtr named(virDomainLookupByName(connection.get(), vm.name.c_str()));
  Uuid uuid;
  const bool taken =
      named && virDomainGetUUID(named.get(), uuid.bytes.data()) == 0 && uuid != vm.uuid;
  add(out, "name", !taken,
      taken ? fmt::format("another VM is called {} here ({}): rename one", shown(vm.name),
                          uuid.text())
            : "no other VM has this name here");
}

void checkCpu(const Connection& connection, const PlacementXml& vm, Checks& out) {
  const auto virt = vm.virt_type.c_str();
  if (vm.cpu_xml.empty()) {
    add(out, "cpu", true, "the VM has QEMU's own processor");
    return;
  }
  if (vm.cpu_mode != CpuMode::custom) {
    add(out, "cpu", true,
        "the VM sees a host's own processor, which libvirt compares as the move begins");
    return;
  }
  const int compared = virConnectCompareHypervisorCPU(
      connection.get(), nullptr, vm.arch.empty() ? nullptr : vm.arch.c_str(), nullptr,
      vm.virt_type.empty() ? nullptr : virt, vm.cpu_xml.c_str(),
      VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE);
  if (compared == VIR_CPU_COMPARE_IDENTICAL || compared == VIR_CPU_COMPARE_SUPERSET) {
    add(out, "cpu", true, "this host can give the VM its processor");
    return;
  }
  if (compared < 0 && lastErrorIsUnsupported()) {
    add(out, "cpu", true, "not compared: this libvirt cannot; the move itself does");
    return;
  }
  add(out, "cpu", false,
      compared < 0 ? lastError("this host cannot give the VM its processor", nullptr).message
                   : "this host cannot give the VM its processor: use a CPU model both hosts have");
}

void checkMachine(const Connection& connection, const PlacementXml& vm, Checks& out) {
  const Text found(virConnectGetDomainCapabilities(
      connection.get(), nullptr, vm.arch.empty() ? nullptr : vm.arch.c_str(),
      vm.machine.empty() ? nullptr : vm.machine.c_str(),
      vm.virt_type.empty() ? nullptr : vm.virt_type.c_str(), 0));
  const auto kind =
      fmt::format("{} {} by {}", shown(vm.machine), shown(vm.arch), shown(vm.virt_type));
  if (found) {
    add(out, "machine", true, "this host knows " + kind);
  } else if (lastErrorIsUnsupported()) {
    // The QEMU driver says so too of a machine it does not have.
    const Text any(
        virConnectGetDomainCapabilities(connection.get(), nullptr, nullptr, nullptr, nullptr, 0));
    add(out, "machine", !any,
        any ? "this host does not know " + kind
            : "not compared: this libvirt cannot; the move itself does");
  } else {
    add(out, "machine", false, lastError("this host does not know " + kind, nullptr).message);
  }
}

void checkNetwork(const Connection& connection, const InterfaceXml& interface, Checks& out) {
  if (!interface.network.empty()) {
    const auto network = virNetworkLookupByName(connection.get(), interface.network.c_str());
    const bool active = network && virNetworkIsActive(network) == 1;
    if (network) virNetworkFree(network);
    add(out, "network " + interface.network, active,
        active ? "it is active here" : "it is not active here: define and start it");
  }
  for (const auto& device : {interface.bridge, interface.device}) {
    if (device.empty()) continue;
    const bool named =
        device.find('/') == std::string::npos && device.find("..") == std::string::npos;
    const bool there = named && sightOf("/sys/class/net/" + device) == Sight::there;
    add(out, "network " + device, there, there ? "it is here" : "it is not here: set it up");
  }
}

void checkFiles(const PlacementXml& vm, Checks& out) {
  auto files = vm.boot_files;
  if (!vm.emulator.empty()) files.push_back(vm.emulator);
  for (const auto& path : files) {
    const auto seen = sightOf(path);
    add(out, "file " + shown(path), seen == Sight::there,
        seen == Sight::there    ? "it is here"
        : seen == Sight::hidden ? hiddenWords(path)
                                : "it is not here: the VM could not start again");
  }
}

}  // namespace

Result<Admission> admission(const Connection& connection, const std::string& live_xml,
                            const std::vector<DiskCopy>& copied) {
  const auto vm = parsePlacementXml(live_xml);
  if (!vm) return fail(Code::invalid, "this is no domain XML");
  Admission admitted;
  auto& out = admitted.checks;
  checkIdentity(connection, *vm, out);
  checkMachine(connection, *vm, out);
  checkCpu(connection, *vm, out);
  DiskAdmission disks(connection, copied);
  for (const auto& disk : vm->disks) disks.check(disk, admitted);
  for (const auto& interface : vm->interfaces) checkNetwork(connection, interface, out);
  checkFiles(*vm, out);
  for (const auto& reason : vm->unmovable)
    add(out, "device", false, "it cannot come along: " + shown(reason));
  return admitted;
}

}  // namespace virtseer::platform

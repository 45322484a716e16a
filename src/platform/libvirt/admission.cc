#include <fmt/format.h>
#include <libvirt/virterror.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/text.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/storage_reach.h"
#include "platform/libvirt/survey.h"
#include "platform/libvirt/text_ptr.h"

namespace virtseer::platform {

namespace {

using Checks = std::vector<Check>;
using Paths = std::vector<std::string>;

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

bool isBlockDevice(const std::string& path) {
  struct stat about;
  return stat(path.c_str(), &about) == 0 && S_ISBLK(about.st_mode);
}

bool exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

/// What cannot be looked at may be there.
bool provenAbsent(const std::string& path) {
  struct stat about;
  return lstat(path.c_str(), &about) != 0 && errno == ENOENT;
}

void checkFile(const DiskXml& disk, bool copy, const std::vector<PoolXml>& pools, Checks& out,
               Paths& copies) {
  const auto name = "disk " + disk.target;
  const auto path = shown(disk.source);
  const auto folder = std::filesystem::path(disk.source).parent_path().string();
  const auto storage = storageOfFolder(folder);
  const bool there = exists(disk.source);
  const bool absent = provenAbsent(disk.source);
  if (storage.shared || disk.read_only) {
    add(out, name, there,
        there ? path + " is here" : path + " is not here: mount its storage, or eject the medium");
    return;
  }
  if (!copy) {
    add(out, name, false,
        fmt::format("{} is on storage of one host: allow disks to be copied", path));
    return;
  }
  const bool pool = std::ranges::any_of(
      pools, [&](const PoolXml& each) { return each.target == folder && each.type != "logical"; });
  if (!pool)
    add(out, name, false,
        fmt::format("{} is no active storage pool here: libvirt makes the copy only in one",
                    shown(folder)));
  else if (there)
    add(out, name, false,
        path + " exists here already and would be overwritten: move it out of the way");
  else
    add(out, name, storage.free_bytes > 0,
        fmt::format("{} bytes are free for the copy in {}", storage.free_bytes, shown(folder)));
  if (pool && absent) copies.push_back(disk.source);
}

void checkDisk(const Connection& connection, const DiskXml& named, bool copy,
               const std::vector<PoolXml>& pools, Checks& out, Paths& copies) {
  if (named.empty) return;
  const auto disk = resolved(connection, named);
  const auto name = "disk " + disk.target;
  switch (disk.kind) {
    case DiskXml::Kind::file:
      return checkFile(disk, copy, pools, out, copies);
    case DiskXml::Kind::block: {
      const bool there = isBlockDevice(disk.source);
      const auto what = "block device " + shown(disk.source);
      return add(out, name, there, what + (there ? " is here" : " is not here: connect it"));
    }
    case DiskXml::Kind::network:
      return add(out, name, true, "a disk of the network, which is opened as the move begins");
    case DiskXml::Kind::volume:
      return add(out, name, false,
                 fmt::format("there is no volume {} in a pool {} here", shown(disk.volume),
                             shown(disk.source)));
    case DiskXml::Kind::other:
      return add(out, name, false, "a kind of disk that does not move");
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
    const bool there = named && exists("/sys/class/net/" + device);
    add(out, "network " + device, there, there ? "it is here" : "it is not here: set it up");
  }
}

void checkFiles(const PlacementXml& vm, Checks& out) {
  auto files = vm.boot_files;
  if (!vm.emulator.empty()) files.push_back(vm.emulator);
  for (const auto& path : files) {
    const bool there = exists(path);
    add(out, "file " + shown(path), there,
        there ? "it is here" : "it is not here: the VM could not start again");
  }
}

}  // namespace

Result<Admission> admission(const Connection& connection, const std::string& live_xml,
                            bool copy_storage) {
  const auto vm = parsePlacementXml(live_xml);
  if (!vm) return fail(Code::invalid, "this is no domain XML");
  Admission admitted;
  auto& out = admitted.checks;
  checkIdentity(connection, *vm, out);
  checkMachine(connection, *vm, out);
  checkCpu(connection, *vm, out);
  const auto pools = activePools(connection);
  for (const auto& disk : vm->disks)
    checkDisk(connection, disk, copy_storage, pools, out, admitted.copies);
  for (const auto& interface : vm->interfaces) checkNetwork(connection, interface, out);
  checkFiles(*vm, out);
  for (const auto& reason : vm->unmovable)
    add(out, "device", false, "it cannot come along: " + shown(reason));
  return admitted;
}

}  // namespace virtseer::platform

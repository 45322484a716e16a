#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "platform/libvirt/bulk.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/handles.h"
#include "platform/libvirt/reading.h"
#include "platform/libvirt/storage_reach.h"
#include "platform/libvirt/survey.h"
#include "platform/libvirt/text_ptr.h"

namespace virtseer::platform {

namespace {

constexpr std::size_t kMaxStorages = 1024;
constexpr std::size_t kMaxNetworks = 1024;

/// Bulk statistics do not wait for busy domains; drivers without them are asked one by one.
std::uint64_t memoryGiven(const Connection& connection) {
  std::uint64_t kibibytes = 0;
  const auto bulk = BulkStatistics::get(connection, VIR_DOMAIN_STATS_BALLOON,
                                        VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE);
  if (bulk) {
    for (const auto* record : bulk->records()) {
      const auto fields = fieldsOf(*record);
      if (const double* maximum = findField(fields, "balloon.maximum"))
        kibibytes += static_cast<std::uint64_t>(*maximum);
    }
  }
  if (kibibytes > 0) return kibibytes * 1024;
  const auto domains = listDomains(connection, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
  if (!domains) return 0;
  for (const auto& domain : *domains) kibibytes += virDomainGetMaxMemory(domain.get());
  return kibibytes * 1024;
}

std::vector<StorageReach> storages(const Connection& connection) {
  auto out = mountedShares();
  for (const auto& pool : activePools(connection)) {
    if (isOfFiles(pool))
      out.push_back(storageOfFolder(pool.target));
    else if ((pool.type == "rbd" || pool.type == "gluster") && !pool.source.empty())
      out.push_back({toUtf8(pool.type + ":" + pool.source), true, 0});
  }
  std::ranges::move(blockDevices(), std::back_inserter(out));
  std::ranges::sort(out, {}, &StorageReach::id);
  const auto twice = std::ranges::unique(out, {}, &StorageReach::id);
  out.erase(twice.begin(), twice.end());
  if (out.size() > kMaxStorages) out.resize(kMaxStorages);
  return out;
}

std::vector<std::string> networks(const Connection& connection) {
  std::vector<std::string> out;
  virNetworkPtr* list = nullptr;
  const int count =
      virConnectListAllNetworks(connection.get(), &list, VIR_CONNECT_LIST_NETWORKS_ACTIVE);
  for (int i = 0; i < count; ++i) {
    if (const char* name = virNetworkGetName(list[i])) out.push_back(toUtf8(name));
    virNetworkFree(list[i]);
  }
  std::free(list);
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/net", failed)) {
    const auto name = entry.path().filename().string();
    // Ends of guests' own cables.
    if (name == "lo" || name.starts_with("vnet") || name.starts_with("tap") ||
        name.starts_with("macvtap"))
      continue;
    std::error_code no;
    if (std::filesystem::exists(entry.path() / "bridge", no)) out.push_back("bridge " + name);
    out.push_back("device " + name);
  }
  std::ranges::sort(out);
  if (out.size() > kMaxNetworks) out.resize(kMaxNetworks);
  return out;
}

}  // namespace

std::vector<PoolXml> activePools(const Connection& connection) {
  std::vector<PoolXml> out;
  virStoragePoolPtr* list = nullptr;
  const int count =
      virConnectListAllStoragePools(connection.get(), &list, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE);
  for (int i = 0; i < count; ++i) {
    const Pool pool(list[i]);
    const Text xml(virStoragePoolGetXMLDesc(pool.get(), 0));
    auto parsed = xml ? parsePoolXml(xml.get()) : std::nullopt;
    if (parsed) out.push_back(std::move(*parsed));
  }
  std::free(list);
  return out;
}

bool isOfFiles(const PoolXml& pool) {
  return pool.type == "dir" || pool.type == "fs" || pool.type == "netfs";
}

DiskXml resolved(const Connection& connection, DiskXml disk) {
  if (disk.kind != DiskXml::Kind::volume) return disk;
  const Pool pool(virStoragePoolLookupByName(connection.get(), disk.source.c_str()));
  if (!pool) return disk;
  const Volume volume(virStorageVolLookupByName(pool.get(), disk.volume.c_str()));
  if (!volume) return disk;
  const Text path(virStorageVolGetPath(volume.get()));
  virStorageVolInfo info{};
  if (!path || virStorageVolGetInfo(volume.get(), &info) < 0) return disk;
  if (info.type == VIR_STORAGE_VOL_FILE || info.type == VIR_STORAGE_VOL_BLOCK) {
    disk.kind = info.type == VIR_STORAGE_VOL_FILE ? DiskXml::Kind::file : DiskXml::Kind::block;
    disk.source = path.get();
  }
  return disk;
}

CpuDescription hostCpu(const Connection& connection, CpuExpander& expander) {
  const Text xml(
      virConnectGetDomainCapabilities(connection.get(), nullptr, nullptr, nullptr, nullptr, 0));
  auto model = xml ? parseHostModel(xml.get()) : std::nullopt;
  if (!model) return {};
  auto expanded = expander.features(connection, "", model->xml);
  if (!expanded.empty()) model->cpu.features = std::move(expanded);
  return std::move(model->cpu);
}

Result<HostState> hostMeans(const Connection& connection, CpuExpander& expander) {
  const auto facts = readHostFacts(connection);
  if (!facts) return fail(facts.error());
  const Text capabilities(virConnectGetCapabilities(connection.get()));
  if (!capabilities) return fail(lastError("capabilities", connection.get()));
  HostState out;
  out.uuid = facts->uuid;
  out.name = facts->name;
  out.cpus_online = facts->cpus_online;
  out.memory_given = memoryGiven(connection);
  out.cpu = hostCpu(connection, expander);
  if (out.cpu.model.empty()) out.cpu.model = facts->cpu_model;
  out.machine_types = parseMachineTypes(capabilities.get());
  out.storage = storages(connection);
  out.networks = networks(connection);
  return out;
}

}  // namespace virtseer::platform

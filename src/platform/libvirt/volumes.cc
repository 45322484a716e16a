#include <fcntl.h>
#include <libvirt/virterror.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "platform/libvirt/bulk.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/survey.h"
#include "platform/libvirt/text_ptr.h"

namespace virtseer::platform {

namespace fs = std::filesystem;

namespace {

struct FreeVolume {
  void operator()(virStorageVolPtr volume) const { virStorageVolFree(volume); }
};
using Volume = std::unique_ptr<virStorageVol, FreeVolume>;

/// Only plain absolute paths: no part of them may lead elsewhere.
bool isPlain(const fs::path& path) {
  return path.is_absolute() && path == path.lexically_normal() && path.has_filename();
}

bool isFolderOfPool(const Connection& connection, const fs::path& folder) {
  for (const auto& pool : activePools(connection)) {
    if ((pool.type == "dir" || pool.type == "fs" || pool.type == "netfs") &&
        fs::path(pool.target).lexically_normal() == folder)
      return true;
  }
  return false;
}

/// The VM here that has the file as a disk; empty: none.
std::string userOf(const Connection& connection, const std::string& path, unsigned filter) {
  const auto domains = listDomains(connection, filter);
  if (!domains) return "one that cannot be asked";
  for (const auto& domain : *domains) {
    const Text text(virDomainGetXMLDesc(domain.get(), 0));
    const auto xml = text ? parsePlacementXml(text.get()) : std::nullopt;
    if (!xml) continue;
    for (const auto& disk : xml->disks) {
      if (resolved(connection, disk).source == path) return xml->name;
    }
  }
  return {};
}

Error systemError(const std::string& what, int number) {
  const bool denied = number == EACCES || number == EPERM || number == EROFS;
  const auto code = denied             ? Code::refused
                    : number == ENOENT ? Code::not_found
                    : number == ENOSPC ? Code::full
                                       : Code::failed;
  return {code, what + ": " + std::strerror(number)};
}

bool isThere(const std::string& path) {
  struct stat about;
  return lstat(path.c_str(), &about) == 0;
}

Volume findVolume(const Connection& connection, const std::string& path) {
  return Volume(virStorageVolLookupByPath(connection.get(), path.c_str()));
}

/// Makes libvirt see what is in the pool of this folder.
void refreshPool(const Connection& connection, const std::string& path) {
  const auto pool =
      virStoragePoolLookupByTargetPath(connection.get(), fs::path(path).parent_path().c_str());
  if (!pool) return;
  virStoragePoolRefresh(pool, 0);
  virStoragePoolFree(pool);
}

}  // namespace

Result<void> renameInPool(const Connection& connection, const std::string& path,
                          const std::string& new_path) {
  const fs::path from(path);
  const fs::path to(new_path);
  const auto what = "set " + printable(path) + " aside";
  if (!isPlain(from) || !isPlain(to) || from.parent_path() != to.parent_path())
    return fail(Code::invalid, what + ": the new name must be in the same folder");
  if (!isFolderOfPool(connection, from.parent_path()))
    return fail(Code::refused, what + ": it is in no active storage pool's folder");
  struct stat about;
  if (lstat(path.c_str(), &about) != 0) {
    if (errno == ENOENT && isThere(new_path)) return {};
    return fail(systemError(what, errno));
  }
  if (!S_ISREG(about.st_mode)) return fail(Code::refused, what + ": it is no plain file");
  if (const auto user = userOf(connection, path, VIR_CONNECT_LIST_DOMAINS_ACTIVE); !user.empty())
    return fail(Code::refused, what + ": VM " + printable(user) + " uses it");
  if (renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, new_path.c_str(), RENAME_NOREPLACE) != 0)
    return fail(systemError(what, errno));
  return {};
}

Result<void> deleteFromPools(const Connection& connection, const std::string& path) {
  const auto what = "delete " + printable(path);
  if (!isPlain(path)) return fail(Code::invalid, what + ": not a plain path");
  if (const auto user = userOf(connection, path, 0); !user.empty())
    return fail(Code::refused, what + ": VM " + printable(user) + " uses it");
  refreshPool(connection, path);
  const auto volume = findVolume(connection, path);
  if (!volume) {
    if (!isThere(path)) return {};
    return fail(Code::refused, what + ": it is in no storage pool");
  }
  if (virStorageVolDelete(volume.get(), 0) < 0) {
    auto error = lastError(what, connection.get());
    if (error.code == Code::not_found || !isThere(path)) return {};
    return fail(std::move(error));
  }
  return {};
}

}  // namespace virtseer::platform

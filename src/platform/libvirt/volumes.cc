#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/file_users.h"
#include "platform/libvirt/handles.h"
#include "platform/libvirt/survey.h"

namespace virtseer::platform {

namespace fs = std::filesystem;

namespace {

/// Only plain absolute paths: no part of them may lead elsewhere.
bool isPlain(const fs::path& path) {
  return path.is_absolute() && path == path.lexically_normal() && path.has_filename();
}

Error systemError(const std::string& what, int number) {
  const bool denied = number == EACCES || number == EPERM || number == EROFS;
  const auto code = denied             ? Code::refused
                    : number == ENOENT ? Code::not_found
                    : number == ENOSPC ? Code::full
                                       : Code::failed;
  return {code, what + ": " + std::strerror(number)};
}

bool isThere(const fs::path& path) {
  struct stat about;
  return lstat(path.c_str(), &about) == 0;
}

bool isGone(const fs::path& path) {
  struct stat about;
  return lstat(path.c_str(), &about) != 0 && errno == ENOENT;
}

/// A path of a file in the folder of an active pool, with nothing before its name that leads
/// elsewhere.
Result<fs::path> realPath(const Connection& connection, const fs::path& path,
                          const std::string& what) {
  if (!isPlain(path)) return fail(Code::invalid, what + ": not a plain path");
  std::error_code failed;
  const auto folder = fs::canonical(path.parent_path(), failed);
  if (failed) return fail(systemError(what, failed.value()));
  const auto isOfPool = [&](const PoolXml& pool) {
    std::error_code none;
    return isOfFiles(pool) && fs::canonical(pool.target, none) == folder && !none;
  };
  if (!std::ranges::any_of(activePools(connection), isOfPool))
    return fail(Code::refused, what + ": it is in no active storage pool's folder");
  return folder / path.filename();
}

Volume findVolume(const Connection& connection, const fs::path& path) {
  return Volume(virStorageVolLookupByPath(connection.get(), path.c_str()));
}

/// Makes libvirt see what is in the pool of this folder.
void refreshPool(const Connection& connection, const fs::path& folder) {
  const Pool pool(virStoragePoolLookupByTargetPath(connection.get(), folder.c_str()));
  if (pool) virStoragePoolRefresh(pool.get(), 0);
}

}  // namespace

Result<void> renameInPool(const Connection& connection, const std::string& path,
                          const std::string& new_path) {
  const fs::path given(path);
  const fs::path to(new_path);
  const auto what = "set " + printable(path) + " aside";
  if (!isPlain(to) || given.parent_path() != to.parent_path())
    return fail(Code::invalid, what + ": the new name must be in the same folder");
  const auto real = realPath(connection, given, what);
  if (!real) return fail(real.error());
  const auto& from = *real;
  const auto aside = from.parent_path() / to.filename();
  struct stat about;
  if (lstat(from.c_str(), &about) != 0) {
    if (errno == ENOENT && isThere(aside)) return {};
    return fail(systemError(what, errno));
  }
  if (!S_ISREG(about.st_mode)) return fail(Code::refused, what + ": it is no plain file");
  refreshPool(connection, given.parent_path());
  if (const auto user = userOfFile(connection, from, Needs::unless_idle); !user.empty())
    return fail(Code::refused, what + ": " + printable(user) + " needs it");
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, aside.c_str(), RENAME_NOREPLACE) != 0)
    return fail(systemError(what, errno));
  return {};
}

Result<void> deleteFromPools(const Connection& connection, const std::string& path) {
  const auto what = "delete " + printable(path);
  if (isPlain(path) && isGone(path)) return {};
  const auto real = realPath(connection, path, what);
  if (!real) return fail(real.error());
  struct stat about;
  if (lstat(real->c_str(), &about) != 0) return fail(systemError(what, errno));
  if (!S_ISREG(about.st_mode)) return fail(Code::refused, what + ": it is no plain file");
  refreshPool(connection, fs::path(path).parent_path());
  refreshPool(connection, real->parent_path());
  if (const auto user = userOfFile(connection, *real, Needs::any); !user.empty())
    return fail(Code::refused, what + ": " + printable(user) + " needs it");
  auto volume = findVolume(connection, path);
  if (!volume) volume = findVolume(connection, *real);
  if (!volume) {
    if (isGone(*real)) return {};
    return fail(Code::refused, what + ": it is in no storage pool");
  }
  if (virStorageVolDelete(volume.get(), 0) < 0) {
    auto error = lastError(what, connection.get());
    if (error.code == Code::not_found || isGone(*real)) return {};
    return fail(std::move(error));
  }
  return {};
}

}  // namespace virtseer::platform

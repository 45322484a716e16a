#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace virtseer::platform {

/// A module's name as the kernel compares it: '-' and '_' are the same.
std::string moduleName(std::string_view name);

struct KernelFiles {
  std::string version;                         ///< of /boot/vmlinuz-VERSION
  std::string vmlinuz;                         ///< its bytes
  std::map<std::string, std::string> modules;  ///< moduleName() -> bytes of the .ko, decompressed
  std::set<std::string> built_in;              ///< moduleName()s in modules.builtin
};

/// Reads the kernel and those of `wanted` (moduleName()s) that it holds out of a Debian package, in
/// memory: no path of the package ever reaches the file system. Everything is bounded.
Result<KernelFiles> readKernelPackage(const std::filesystem::path& package,
                                      const std::set<std::string>& wanted);

}  // namespace virtseer::platform

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace virtseer::platform {

/// What the probe appliance is made of: a kernel package, the agent as its first process.
struct ApplianceRequest {
  std::filesystem::path kernel_package;  ///< a .deb with /boot/vmlinuz-* and its modules
  std::filesystem::path agent;           ///< the static virtseer-agent
  std::filesystem::path output;          ///< folder for vmlinuz and initramfs.gz; made if absent
};

struct ApplianceReport {
  std::string kernel_version;
  std::filesystem::path vmlinuz, initramfs;
  std::uint64_t vmlinuz_bytes = 0, initramfs_bytes = 0, agent_bytes = 0;
  std::vector<std::string> modules;   ///< in the order in which they are loaded
  std::vector<std::string> built_in;  ///< wanted, and part of this kernel itself
};

/// Unpacks the kernel and the modules a guest needs from the package, in memory and by an
/// allow-list of paths, packs them with the agent into an initramfs, and puts both files into place
/// by renaming them (mode 0644). Blocks for seconds. Fails with Code::not_found if a file or a
/// needed module is missing, Code::corrupt if the package cannot be read, Code::invalid if the
/// agent is not a static executable.
Result<ApplianceReport> buildAppliance(const ApplianceRequest& request);

/// Lets apt download the kernel that Debian's linux-image-cloud-amd64 depends on into `folder`,
/// without installing it; apt's own messages go to standard error. Blocks for as long as apt does.
Result<std::filesystem::path> downloadKernelPackage(const std::filesystem::path& folder);

/// The name of the kernel package in what `apt-cache depends linux-image-cloud-amd64` prints.
Result<std::string> kernelPackageName(const std::string& apt_cache_output);

}  // namespace virtseer::platform

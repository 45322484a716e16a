#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace virtseer::platform {

/// The folder with the configuration of the system's libvirt driver behind a URI; nullopt: that
/// driver guards no disks, or its configuration is not on this host, or not that of the system.
std::optional<std::filesystem::path> driverFolder(std::string_view uri);

/// Whether the QEMU driver that is configured in `folder` takes a lease for each disk of each VM,
/// by virtlockd or sanlock. What may not be read says no. What counts for libvirt is what stood
/// there when it was started. Blocks.
bool takesLeases(const std::filesystem::path& folder);

}  // namespace virtseer::platform

#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/time.h"
#include "platform/environment.h"

namespace virtseer::platform {

struct LibvirtOptions {
  std::string uri;  ///< e.g. qemu:///system
  Millis call_deadline{5000};
  const Clock* clock = nullptr;  ///< required; outlives the environment
  /// Whether a lock manager guards the disks of VMs; absent: look into libvirt's configuration.
  std::optional<bool> disk_locks = std::nullopt;
};

/// The environment behind a libvirt URI. Does not connect yet: see Environment::run().
///
/// Reading (lists, statistics, host facts, events) uses read-only connections where the driver has
/// them, channels and actions a full one each, opened at first use. The environment, and the
/// channels it made, are destroyed on the loop's thread before the loop is; channels first.
/// Destroying it waits up to two seconds for libvirt's objects to be closed in an orderly way.
std::unique_ptr<Environment> libvirtEnvironment(boost::asio::any_io_executor loop,
                                                LibvirtOptions options);

}  // namespace virtseer::platform

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "act/answers.h"
#include "model/host_state.h"
#include "model/operation.h"
#include "model/policy.h"
#include "platform/actions.h"

namespace virtseer::act {

/// All that the source knows of a move before it begins.
struct DepartureFacts {
  OperationOrigin origin = OperationOrigin::person;
  std::optional<bool> copy_storage;  ///< as it was ordered
  Policy policy;
  Uuid self;
  std::string to_name;
  std::optional<Uuid> to;  ///< absent: the destination's daemon was never heard
  Presence presence;
  platform::VmDefinition definition;
  std::optional<PlacedVm> placed;  ///< absent: libvirt does not list it as active
  std::vector<StorageReach> storage;
};

/// What pre-flight at the source found.
struct Departure {
  std::vector<Check> checks;
  bool copy_storage = false;
  /// Image files that the move copies, and that stay behind. Empty if a part of the VM's disks is
  /// shared: then what is to be left alone cannot be told apart with certainty.
  std::vector<std::string> copied_disks;
};

/// `policy`, lowered by what the domain's metadata says by now: it may be newer than what policy
/// was resolved by, and can only take away.
Policy lowered(const Policy& policy, const std::optional<PolicyMetadata>& metadata);

/// Whether policy lets such an operation go on. A plan's is kept back by the global stop too; the
/// way back is not, since it ends what was begun before the stop and is part of its safety.
Result<void> granted(OperationOrigin origin, const Policy& policy, bool stopped);

/// Pure.
Departure preflight(const DepartureFacts& facts);

/// Files behind the writable disks of a live XML: the topmost image of each chain, no CD, no
/// shareable or read-only disk, no block device.
std::vector<std::string> writableFiles(std::string_view live_xml);

/// What does not hold, in one line.
std::string faults(const std::vector<Check>& checks);

}  // namespace virtseer::act

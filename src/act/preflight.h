#pragma once

#include <optional>
#include <string>
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
  bool disk_locks = false;  ///< a lock manager guards disks here
};

/// What pre-flight at the source found.
struct Departure {
  std::vector<Check> checks;
  bool copy_storage = false;
  std::vector<DiskCopy> disks;            ///< that the move copies
  std::vector<std::string> copied_disks;  ///< image files among them, which stay behind
  std::vector<std::string> storage;       ///< StorageReach::id of each disk that is not copied
};

/// `policy`, lowered by what the domain's metadata says by now: it may be newer than what policy
/// was resolved by, and can only take away.
Policy lowered(const Policy& policy, const std::optional<PolicyMetadata>& metadata);

/// Whether policy lets such an operation go on. A plan's is kept back by the global stop too; the
/// way back is not, since it ends what was begun before the stop and is part of its safety.
Result<void> granted(OperationOrigin origin, const Policy& policy, bool stopped);

/// Pure.
Departure preflight(const DepartureFacts& facts);

/// What does not hold, in one line.
std::string faults(const std::vector<Check>& checks);

}  // namespace virtseer::act

#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "fleet/peers.h"
#include "model/doctor.h"
#include "model/operation.h"

namespace virtseer::daemon {

/// What of the operations, newest first, calls for a person, each a sentence that says what to do:
/// what is uncertain, what does not settle by itself, and for a day what was left to a person,
/// unless the VM has been moved anew since: an attempt that came to nothing hides nothing.
std::vector<std::string> operationProblems(const std::vector<Operation>& operations, Timestamp now);

/// The VMs that run on several hosts at once.
std::vector<std::string> duplicateProblems(const std::vector<Duplicate>& duplicates);

/// The peers that have been silent for over a minute, none within the first minute of the daemon,
/// and those that say that they are `self`, this host, or one of the peers before them.
std::vector<std::string> peerProblems(const std::vector<fleet::PeerState>& peers, const Uuid& self,
                                      Timestamp started, Timestamp now);

}  // namespace virtseer::daemon

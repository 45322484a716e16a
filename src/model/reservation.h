#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "virtseer/uuid.h"

namespace virtseer {

/// Room at a destination, held for one VM while its operation lives.
struct Reservation {
  std::string id;         ///< given by the destination
  std::string operation;  ///< whose it is; one reservation per operation
  Uuid vm;
  std::string vm_name;  ///< a label, untrusted
  double cpus = 0;      ///< what the VM is expected to want
  std::uint64_t memory_bytes = 0;
  Timestamp expires;

  bool operator==(const Reservation&) const = default;
};

/// What an operation asks a destination for.
struct ReservationRequest {
  std::string operation;
  Uuid vm;
  std::string vm_name;
  double cpus = 0;
  std::uint64_t memory_bytes = 0;
  bool may_share = false;  ///< cores that are spoken for are no reason to refuse it

  bool operator==(const ReservationRequest&) const = default;
};

/// What a destination has and uses when it is asked.
struct HostRoom {
  double cpus = 0;  ///< capacity, cores
  std::uint64_t memory_bytes = 0;
  double used_cpus = 0;  ///< what its VMs want: the median of the foreseen level where there is one
  std::uint64_t used_memory_bytes = 0;
  std::vector<Uuid> present;  ///< VMs already counted in `used_*`: their reservations are not
  bool maintenance = false;
  bool draining = false;  ///< the daemon is stopping

  bool operator==(const HostRoom&) const = default;
};

}  // namespace virtseer

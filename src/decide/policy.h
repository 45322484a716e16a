#pragma once

#include <optional>
#include <string_view>

#include "model/host_state.h"
#include "model/policy.h"

namespace virtseer::decide {

/// True if `name` matches `pattern`, where `*` stands for any text and `?` for one byte.
/// O(pattern * name) at worst.
bool matches(std::string_view pattern, std::string_view name);

/// What holds for a VM. Order: built-in, the configuration's defaults, its rules from first to last
/// (the later one wins), the VM's own metadata, the global stop. Metadata is written by whoever may
/// edit the domain, so it counts only where it allows less than what came before; if it could not
/// be read in full the VM is only observed, and nobody moves it.
ResolvedPolicy resolve(const PolicyConfiguration& configuration, const Uuid& vm,
                       std::string_view vm_name, const std::optional<PolicyMetadata>& metadata);

/// The same without the lines that explain it.
Policy resolvedPolicy(const PolicyConfiguration& configuration, const PlacedVm& vm);

}  // namespace virtseer::decide

#pragma once

#include <optional>
#include <pugixml.hpp>
#include <string>

#include "model/policy.h"

namespace virtseer::platform {

/// The policy element of a domain's metadata; nullopt if there is none. Hostile: whatever is not
/// understood in full is a fault in words.
std::optional<PolicyMetadata> policyOf(const pugi::xml_node& metadata);

/// Who else manages this VM, by the metadata that they leave; empty: nobody known.
std::string managerOf(const pugi::xml_node& metadata);

}  // namespace virtseer::platform

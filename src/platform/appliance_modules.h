#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace virtseer::platform {

/// The modules that the one whose bytes these are needs: the `depends=` line of its .modinfo
/// section (ELF, 64 bit, little endian). Fails with Code::corrupt if it is no such object.
Result<std::vector<std::string>> moduleDepends(std::string_view object);

/// The keys of `depends` ordered so that each stands after all it depends on; otherwise in the
/// order of `wanted`. Names that are no key are taken as built in. Fails with Code::invalid on a
/// circle.
Result<std::vector<std::string>> loadOrder(
    const std::vector<std::string>& wanted,
    const std::map<std::string, std::vector<std::string>>& depends);

/// True if `program` is an ELF executable for x86-64 that needs no interpreter: it can be a first
/// process.
bool isStaticExecutable(std::string_view program);

}  // namespace virtseer::platform

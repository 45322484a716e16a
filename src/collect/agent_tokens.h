#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "virtseer/uuid.h"

namespace virtseer::collect {

/// Whether this is a token: 16 to 256 characters, printable and without spaces.
bool isAgentToken(std::string_view token);

/// The token of a VM: the first word of the file UUID.token in `folder`, which only its owner may
/// read. Blocks. not_found: there is none; refused: it is open to others; invalid: no file, or none
/// with a token in it.
Result<std::string> readAgentToken(const std::filesystem::path& folder, Uuid vm);

/// Whether both are the same, in a time that does not depend on where they differ.
bool sameSecret(std::string_view a, std::string_view b);

}  // namespace virtseer::collect

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "virtseer/uuid.h"

namespace virtseer::decide {

/// An untrusted name as it may stand in a sentence: printable, at most 64 bytes.
std::string label(std::string_view name);

/// A name of a VM or host, or its UUID where the name has characters that a shell would not take as
/// they are.
std::string commandName(const std::string& name, const Uuid& uuid);

/// 0.873 as "87 %"; what is not quite 0 or 1 does not round to it.
std::string percent(double share);

/// "1.25 cores".
std::string cores(double cpus);

/// "1.5 GiB".
std::string size(std::uint64_t bytes);

/// "300 ms", "42 s", "12 min", "3.5 h".
std::string span(Millis time);

}  // namespace virtseer::decide

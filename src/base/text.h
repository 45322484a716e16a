#pragma once

#include <string>
#include <string_view>

namespace virtseer {

/// `text` with control characters, DEL, C1 controls and broken UTF-8 as \xNN, so that a hostile
/// name reaches neither a terminal nor a log line as anything but letters.
std::string printable(std::string_view text);

/// True if `text` is well-formed UTF-8 (no overlong forms, no surrogates, up to U+10FFFF).
bool isUtf8(std::string_view text);

/// `text` with every byte that is not part of well-formed UTF-8 replaced by U+FFFD.
std::string toUtf8(std::string_view text);

}  // namespace virtseer

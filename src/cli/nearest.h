#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace virtseer::cli {

/// The word that `given` is most likely a slip of; empty if none is near.
std::string nearestWord(std::string_view given, const std::vector<std::string>& words);

}  // namespace virtseer::cli

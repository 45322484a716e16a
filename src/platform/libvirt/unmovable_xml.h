#pragma once

#include <pugixml.hpp>
#include <string>
#include <vector>

namespace virtseer::platform {

inline constexpr std::size_t kMaxUnmovable = 32;

/// What of a domain cannot come along to another host, each in words.
std::vector<std::string> unmovableOf(const pugi::xml_node& domain);

}  // namespace virtseer::platform

#pragma once

#include <string>
#include <string_view>

#include "agent/config.h"

/// The configuration's keys of applications. Each takes a value that is printable and not empty,
/// and gives what is wrong with it, to be put behind it; empty: nothing.
namespace virtseer::agent {

/// NAME URL [PATTERN]...
std::string addScrape(Config& config, std::string_view value);
std::string setScrapeInterval(Config& config, std::string_view value);
std::string setStatsd(Config& config, std::string_view value);
/// Octal, as for chmod.
std::string setStatsdMode(Config& config, std::string_view value);
std::string setStatsdUdp(Config& config, std::string_view value);
/// NAME PATH SYMBOL
std::string addUprobe(Config& config, std::string_view value);

}  // namespace virtseer::agent

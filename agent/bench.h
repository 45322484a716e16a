#pragma once

#include <string>

#include "agent/config.h"

namespace virtseer::agent {

/// Measures rounds of reading every source and encoding the echo, and prints the cost of one;
/// `json` as {"cpu_us_per_round", "rss_bytes", "values"}. Gives the process's exit code.
int runBench(const Config& config, const std::string& root, bool json);

}  // namespace virtseer::agent

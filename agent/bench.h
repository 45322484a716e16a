#pragma once

#include <string>

#include "agent/config.h"

namespace virtseer::agent {

/// How `--bench` prints.
struct BenchOutput {
  bool json = false;
  bool verbose = false;  ///< in text: what each source costs
};

/// Measures rounds of reading every source and encoding the echo, and prints the cost of one; as
/// JSON {"cpu_us_per_round", "rss_bytes", "values", "bytes_per_echo", "sources": {name: us},
/// "ebpf":
/// {"state", the first four again, "programs_core_ratio", "told_core_ratio"}}. The first are
/// without programs in the kernel: these rounds follow each other at once while the sources are
/// told that 5 s lie between them. With programs there are ten, a second each; their ratios are the
/// share of one core that the programs took, as the kernel measured it and as the agent tells it.
/// Gives the process's exit code.
int runBench(const Config& config, const std::string& root, BenchOutput output);

}  // namespace virtseer::agent

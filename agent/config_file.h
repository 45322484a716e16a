#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config.h"

/// The agent's configuration file: lines `key = value`, and remarks on lines of their own that
/// begin with `#`. packaging/agent/virtseer-agent.conf names every key.
namespace virtseer::agent {

inline constexpr const char* kConfigFile = "/etc/virtseer-agent.conf";

/// One fault, with what to do about it.
struct ConfigFault {
  std::size_t line = 0;  ///< 0: the whole file
  std::string message;   ///< clean text

  bool operator==(const ConfigFault&) const = default;
};

struct LoadedConfig {
  Config config;
  std::vector<ConfigFault> faults;  ///< if there are any, `config` must not be used
};

/// Takes any text; tells at most kMaxFaults faults.
LoadedConfig parseConfig(std::string_view text);
inline constexpr std::size_t kMaxFaults = 64;

/// Reads a file. One that is not there is a fault only if it `must_exist`.
LoadedConfig loadConfig(const std::string& file, bool must_exist);

/// What is missing or open to others of the files that a configuration names.
std::vector<ConfigFault> checkFiles(const Config& config);

}  // namespace virtseer::agent

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/config_file.h"
#include "agent/server_address.h"
#include "virtseer/echo/text.h"

/// Any text is a configuration or faults that can be told to a terminal; what is taken keeps its
/// bounds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace virtseer;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto loaded = agent::parseConfig(text);
  if (loaded.faults.size() > agent::kMaxFaults) std::abort();
  for (const auto& fault : loaded.faults)
    if (!echo::isPrintable(fault.message) || fault.message.empty()) std::abort();
  const agent::Config& config = loaded.config;
  if (config.interval_ms < 200 || config.interval_ms > 3'600'000) std::abort();
  if (config.scrape.size() > agent::Config::kMaxEndpoints) std::abort();
  if (!config.server.empty() && !agent::parseServer(config.server)) std::abort();
  agent::parseServer(text);
  agent::parseIpAddress(std::string(text));
  return 0;
}

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "daemon/config.h"
#include "daemon/config_keys.h"

namespace {

using namespace virtseer;

/// Loads a file of this text that lives in memory.
LoadedConfig load(std::string_view file_text) {
  const int file = ::memfd_create("config", MFD_CLOEXEC);
  if (file < 0 ||
      ::write(file, file_text.data(), file_text.size()) != static_cast<ssize_t>(file_text.size()))
    std::abort();
  auto loaded = loadConfig(fmt::format("/proc/self/fd/{}", file));
  ::close(file);
  return loaded;
}

}  // namespace

/// Any text is faults or a configuration; faults can be told to a terminal, and a configuration
/// reads back as what it is shown as.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto loaded = load({reinterpret_cast<const char*>(data), size});
  for (const ConfigFault& fault : loaded.faults)
    for (const char c : text(fault))
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) std::abort();
  if (!loaded.faults.empty()) return 0;
  const std::string shown = configFile(loaded.config, false);
  const auto again = load(shown);
  if (!again.faults.empty() || configFile(again.config, false) != shown) std::abort();
  return 0;
}

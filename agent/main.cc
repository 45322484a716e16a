#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/agent.h"
#include "agent/bench.h"
#include "agent/boot_options.h"
#include "agent/config_file.h"
#include "agent/file.h"
#include "agent/init.h"
#include "agent/rights.h"
#include "virtseer/version.h"

namespace {

using namespace virtseer;

constexpr int kUsageError = 2;

constexpr const char* kHelp =
    "virtseer-agent: tells the host's virtseer what this guest does\n"
    "\n"
    "  --config FILE     configuration (default: /etc/virtseer-agent.conf, if there is one)\n"
    "  --check           tell every fault of the configuration and exit: 0 none, 2 faults\n"
    "  --port PATH       device of the virtio-serial port, or unix:PATH of a socket\n"
    "                    (default: the port named org.virtseer.echo.0)\n"
    "  --interval TIME   between echoes until the host sets it: 5s, 500ms (default 5s)\n"
    "  --root DIR        read DIR/proc and DIR/sys instead of /proc and /sys\n"
    "  --bench           measure the cost of a round and exit; --verbose: by source too;\n"
    "                    --output json for machines\n"
    "  --version, --help\n";

struct CommandLine {
  std::string config_file;  ///< empty: the default one, if there is one
  std::string port;
  std::optional<std::uint32_t> interval_ms;
  std::string root;
  bool check = false, bench = false;
  agent::BenchOutput output;
};

int usageError(const char* what, std::string_view argument) {
  std::fprintf(stderr, "virtseer-agent: %s: %.*s (see --help)\n", what,
               static_cast<int>(argument.size()), argument.data());
  return kUsageError;
}

/// Takes an option with its value; 0, or the exit code.
int takeOption(CommandLine& line, std::string_view option, std::string_view value) {
  if (option == "--config") {
    line.config_file = value;
  } else if (option == "--port") {
    line.port = value;
  } else if (option == "--root") {
    line.root = value;
  } else if (option == "--output") {
    if (value != "json" && value != "text") return usageError("neither json nor text", value);
    line.output.json = value == "json";
  } else {
    line.interval_ms = agent::parseInterval(value);
    if (!line.interval_ms) return usageError("not a time from 200ms to 3600s", value);
  }
  return 0;
}

int tellFaults(const std::string& file, const std::vector<agent::ConfigFault>& faults) {
  for (const auto& fault : faults) {
    const std::string line = fault.line == 0 ? "" : std::to_string(fault.line) + ":";
    std::fprintf(stderr, "virtseer-agent: %s:%s %s\n", file.c_str(), line.c_str(),
                 fault.message.c_str());
  }
  return kUsageError;
}

int runWith(const CommandLine& line) {
  const bool named = !line.config_file.empty();
  const std::string file = named ? line.config_file : agent::kConfigFile;
  auto loaded = agent::loadConfig(file, named);
  if (line.check && loaded.faults.empty()) loaded.faults = agent::checkFiles(loaded.config);
  if (!loaded.faults.empty()) return tellFaults(file, loaded.faults);
  if (line.check) return std::printf("%s: no fault\n", file.c_str()) < 0;
  agent::Agent::Options options{.config = std::move(loaded.config), .root = line.root};
  if (!line.port.empty()) options.config.port = line.port;
  if (line.interval_ms) options.config.interval_ms = *line.interval_ms;
  if (line.bench) return agent::runBench(options.config, line.root, line.output);
  const auto status = agent::readFile("/proc/self/status");
  if (const auto missing = agent::missingRights(status.value_or("")); !missing.empty())
    std::fprintf(stderr, "virtseer-agent: runs without %s\n", missing.c_str());
  return agent::Agent(options).run();
}

int runWith(int count, char** arguments) {
  CommandLine line;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--help") return std::fputs(kHelp, stdout) < 0;
    if (argument == "--version") return std::printf("virtseer-agent %s\n", kVersion) < 0;
    if (argument == "--bench" || argument == "--check") {
      (argument == "--bench" ? line.bench : line.check) = true;
      continue;
    }
    if (argument == "--verbose") {
      line.output.verbose = true;
      continue;
    }
    if (argument != "--port" && argument != "--interval" && argument != "--root" &&
        argument != "--output" && argument != "--config")
      return usageError("unknown option", argument);
    if (i + 1 >= count) return usageError("a value is missing for", argument);
    if (const int fault = takeOption(line, argument, arguments[++i]); fault != 0) return fault;
  }
  return runWith(line);
}

}  // namespace

int main(int count, char** arguments) {
  // Process 1 of a container finds /proc mounted; that of a bare kernel does not.
  if (::getpid() == 1 && !agent::exists("/proc/self")) agent::runAsInit();
  return runWith(count, arguments);
}

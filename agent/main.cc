#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string_view>

#include "agent/agent.h"
#include "agent/bench.h"
#include "agent/boot_options.h"
#include "agent/file.h"
#include "agent/init.h"
#include "virtseer/version.h"

namespace {

using namespace virtseer;

constexpr int kUsageError = 2;

constexpr const char* kHelp =
    "virtseer-agent: tells the host's virtseer what this guest does\n"
    "\n"
    "  --port PATH       device of the virtio-serial port, or unix:PATH of a socket\n"
    "                    (default: the port named org.virtseer.echo.0)\n"
    "  --interval TIME   between echoes until the host sets it: 5s, 500ms (default 5s)\n"
    "  --root DIR        read DIR/proc and DIR/sys instead of /proc and /sys\n"
    "  --bench           measure the cost of a round and exit; --verbose: by source too;\n"
    "                    --output json for machines\n"
    "  --version, --help\n";

int usageError(const char* what, std::string_view argument) {
  std::fprintf(stderr, "virtseer-agent: %s: %.*s (see --help)\n", what,
               static_cast<int>(argument.size()), argument.data());
  return kUsageError;
}

int runWith(int count, char** arguments) {
  agent::Agent::Options options;
  bool bench = false;
  agent::BenchOutput output;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--help") return std::fputs(kHelp, stdout) < 0;
    if (argument == "--version") return std::printf("virtseer-agent %s\n", kVersion) < 0;
    if (argument == "--bench") {
      bench = true;
      continue;
    }
    if (argument == "--verbose") {
      output.verbose = true;
      continue;
    }
    if (argument != "--port" && argument != "--interval" && argument != "--root" &&
        argument != "--output")
      return usageError("unknown option", argument);
    if (i + 1 >= count) return usageError("a value is missing for", argument);
    const std::string_view value = arguments[++i];
    if (argument == "--port") {
      options.port = value;
    } else if (argument == "--root") {
      options.root = value;
    } else if (argument == "--output") {
      if (value != "json" && value != "text") return usageError("neither json nor text", value);
      output.json = value == "json";
    } else if (const auto interval = agent::parseInterval(value)) {
      options.interval_ms = *interval;
    } else {
      return usageError("not a time from 200ms to 3600s", value);
    }
  }
  if (bench) return agent::runBench(options.root, output);
  return agent::Agent(options).run();
}

}  // namespace

int main(int count, char** arguments) {
  // Process 1 of a container finds /proc mounted; that of a bare kernel does not.
  if (::getpid() == 1 && !agent::exists("/proc/self")) agent::runAsInit();
  return runWith(count, arguments);
}

#include "agent/rights.h"

#include <linux/capability.h>

#include <charconv>
#include <cstdint>

#include "agent/scan.h"

namespace virtseer::agent {
namespace {

struct Right {
  int number;
  const char* what;
};

constexpr Right kRights[] = {
    {CAP_BPF, "CAP_BPF (system calls, waiting, connections, requests)"},
    {CAP_PERFMON, "CAP_PERFMON (the same)"},
    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE (input and output of others' processes)"},
    {CAP_SYSLOG, "CAP_SYSLOG (the kernel's log)"},
};

}  // namespace

std::string missingRights(std::string_view status) {
  constexpr std::string_view kEffective = "CapEff:";
  std::string missing;
  while (!status.empty()) {
    std::string_view line = takeLine(status);
    if (!line.starts_with(kEffective)) continue;
    line.remove_prefix(kEffective.size());
    const std::string_view word = takeWord(line);
    std::uint64_t set = 0;
    if (std::from_chars(word.data(), word.data() + word.size(), set, 16).ec != std::errc())
      return {};
    for (const Right& right : kRights)
      if ((set >> right.number & 1) == 0)
        missing += (missing.empty() ? "" : ", ") + std::string(right.what);
  }
  return missing;
}

}  // namespace virtseer::agent

#include "agent/sources/process_stat.h"

#include "agent/scan.h"

namespace virtseer::agent {
namespace {

/// PF_KTHREAD (linux/sched.h), told in the field `flags`.
constexpr std::uint64_t kKernelThread = 0x00200000;

/// Counts that sum up where the kernel gives signed numbers.
std::optional<std::uint64_t> takeTicks(std::string_view& fields) {
  const std::string_view word = takeWord(fields);
  return word.starts_with('-') ? 0 : parseNumber(word);
}

void skipWords(std::string_view& fields, int count) {
  for (int i = 0; i < count; ++i) takeWord(fields);
}

}  // namespace

std::optional<ProcessStat> parseProcessStat(std::string_view text) {
  // No bracket follows the name's own last one.
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open == text.npos || close == text.npos || close < open) return std::nullopt;
  ProcessStat stat;
  stat.name = ProcessName(text.substr(open + 1, close - open - 1));
  std::string_view fields = text.substr(close + 1);
  if (const auto end = fields.find('\n'); end != fields.npos) fields = fields.substr(0, end);

  const std::string_view state = takeWord(fields);
  const auto parent = takeNumber(fields);
  skipWords(fields, 4);
  const auto flags = takeNumber(fields);
  skipWords(fields, 4);
  const auto user = takeTicks(fields), system = takeTicks(fields);
  const auto children_user = takeTicks(fields), children_system = takeTicks(fields);
  skipWords(fields, 2);
  const auto threads = takeNumber(fields);
  skipWords(fields, 1);
  const auto start = takeNumber(fields);
  skipWords(fields, 1);
  const auto resident = takeTicks(fields);
  if (state.size() != 1 || !parent || *parent > INT32_MAX || !flags || !user || !system ||
      !children_user || !children_system || !threads || !start || !resident)
    return std::nullopt;
  stat.state = state.front();
  stat.of_kernel = (*flags & kKernelThread) != 0;
  stat.parent = static_cast<std::int32_t>(*parent);
  stat.threads = static_cast<std::uint32_t>(std::min<std::uint64_t>(*threads, UINT32_MAX));
  stat.cpu_ticks = *user + *system;
  stat.children_ticks = *children_user + *children_system;
  stat.start_ticks = *start;
  stat.resident_pages = *resident;
  return stat;
}

std::optional<ProcessIo> parseProcessIo(std::string_view text) {
  std::optional<std::uint64_t> read, written;
  while (!text.empty()) {
    std::string_view line = takeLine(text);
    const std::string_view key = takeWord(line);
    if (key == "read_bytes:") read = takeNumber(line);
    if (key == "write_bytes:") written = takeNumber(line);
  }
  if (!read || !written) return std::nullopt;
  return ProcessIo{*read, *written};
}

std::optional<std::uint32_t> parseUser(std::string_view text) {
  while (!text.empty()) {
    std::string_view line = takeLine(text);
    if (takeWord(line) != "Uid:") continue;
    takeWord(line);  // the real user
    const auto user = takeNumber(line);
    if (!user || *user > UINT32_MAX) return std::nullopt;
    return static_cast<std::uint32_t>(*user);
  }
  return std::nullopt;
}

}  // namespace virtseer::agent

#include "collect/emulator_processes.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collect/proc_files.h"

namespace virtseer::collect {

namespace fs = std::filesystem;

namespace {

/// The UUID that follows the argument `-uuid`.
std::optional<Uuid> uuidIn(std::string_view arguments) {
  using namespace std::string_view_literals;
  constexpr std::string_view kOption = "\0-uuid\0"sv;
  const auto found = arguments.find(kOption);
  if (found == arguments.npos) return std::nullopt;
  const std::string_view rest = arguments.substr(found + kOption.size());
  return Uuid::parse(rest.substr(0, rest.find('\0')));
}

/// When a process began, in ticks since the boot. Its name may hold anything, parentheses too.
std::optional<std::uint64_t> startOf(const fs::path& process) {
  constexpr std::size_t kStart = 22 - 3;  // counted from the state, the third field
  const auto text = readText(process / "stat");
  const auto name_end = text ? text->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) return std::nullopt;
  const auto fields = words(std::string_view(*text).substr(name_end + 1));
  return fields.size() > kStart ? number(fields[kStart]) : std::nullopt;
}

std::optional<Uuid> vmOf(const fs::path& process) {
  const auto arguments = readText(process / "cmdline");
  return arguments ? uuidIn(*arguments) : std::nullopt;
}

}  // namespace

bool isEmulatorOf(const fs::path& proc, pid_t process, const Uuid& vm) {
  return vmOf(proc / std::to_string(process)) == vm;
}

std::map<Uuid, pid_t> emulatorProcesses(const fs::path& proc, const std::set<Uuid>& vms) {
  std::map<Uuid, pid_t> out;
  std::map<Uuid, std::uint64_t> starts;
  std::error_code ended;
  for (fs::directory_iterator entry(proc, ended), end; !ended && entry != end;
       entry.increment(ended)) {
    const auto id = number(entry->path().filename().string());
    if (!id) continue;
    const auto uuid = vmOf(entry->path());
    if (!uuid || !vms.contains(*uuid)) continue;
    const auto start = startOf(entry->path());
    if (!start) continue;
    const auto known = starts.find(*uuid);
    if (known != starts.end() && known->second <= *start) continue;
    starts[*uuid] = *start;
    out[*uuid] = static_cast<pid_t>(*id);
  }
  return out;
}

}  // namespace virtseer::collect

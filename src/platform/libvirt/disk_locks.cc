#include "platform/libvirt/disk_locks.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace virtseer::platform {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxFileBytes = 256 * 1024;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// The text in quotes, or the word, that a value begins with.
std::string_view valueOf(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('"') || text.starts_with('\'')) {
    const char quote = text.front();
    text.remove_prefix(1);
    return text.substr(0, text.find(quote));
  }
  return text.substr(0, text.find_first_of(" \t#"));
}

/// `key = value`, the first that there is, as libvirt takes it; nullopt: none, or no such file.
std::optional<std::string> setting(const fs::path& path, std::string_view key) {
  std::ifstream file(path);
  std::string text(kMaxFileBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find('=');
    if (equals == line.npos) continue;
    if (trimmed(std::string_view(line).substr(0, equals)) == key)
      return std::string(valueOf(std::string_view(line).substr(equals + 1)));
  }
  return std::nullopt;
}

}  // namespace

std::optional<fs::path> driverFolder(std::string_view uri) {
  const auto path = uri.substr(0, uri.find('?'));
  const bool socket_of_its_own = uri.find("socket=") != uri.npos;
  if (socket_of_its_own || (path != "qemu:///system" && path != "qemu+unix:///system"))
    return std::nullopt;
  return "/etc/libvirt";
}

bool takesLeases(const fs::path& folder) {
  const auto manager = setting(folder / "qemu.conf", "lock_manager").value_or("nop");
  const auto by_itself = [&](const char* file) {
    return setting(folder / file, "auto_disk_leases");
  };
  // virtlockd does unless it is told not to, sanlock only if it is told to.
  if (manager == "lockd") return by_itself("qemu-lockd.conf") != "0";
  if (manager == "sanlock") return by_itself("qemu-sanlock.conf") == "1";
  return false;
}

}  // namespace virtseer::platform

#include "agent/sources/cgroup_unit.h"

#include <algorithm>

#include "agent/scan.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kIdDigits = 64;
/// As `docker ps` and `podman ps` show it.
constexpr std::size_t kShortIdDigits = 12;

bool isHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// Takes the last part off `path`.
std::string_view takeLast(std::string_view& path) {
  const auto slash = path.rfind('/');
  const std::string_view part = slash == path.npos ? path : path.substr(slash + 1);
  path = slash == path.npos ? std::string_view() : path.substr(0, slash);
  return part;
}

/// The container that a part of a path stands for, or nothing: "docker-ID.scope", "ID",
/// "lxc.payload.NAME", "lxc/NAME".
std::string containerOf(std::string_view part, std::string_view before) {
  constexpr std::string_view kScope = ".scope", kPayload = "lxc.payload.";
  if (part.starts_with(kPayload)) return std::string(part.substr(kPayload.size()));
  if (before == "lxc") return std::string(part);
  if (part.ends_with(kScope)) part.remove_suffix(kScope.size());
  if (part.size() < kIdDigits || !isHex(part.substr(part.size() - kIdDigits))) return {};
  return std::string(part.substr(0, part.size() - kIdDigits + kShortIdDigits));
}

bool isUnit(std::string_view part) {
  for (const std::string_view kind : {".service", ".scope", ".socket", ".mount", ".swap"})
    if (part.size() > kind.size() && part.ends_with(kind)) return true;
  return false;
}

UnitName unitOfPath(std::string_view path) {
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view part = takeLast(rest);
    std::string_view above = rest;
    std::string container = containerOf(part, takeLast(above));
    if (!container.empty()) return {UnitName::Kind::container, std::move(container)};
  }
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view part = takeLast(rest);
    // A user's own manager has one too, within its service.
    if (part == "init.scope" && !rest.empty()) continue;
    if (isUnit(part)) return {UnitName::Kind::service, std::string(part)};
    constexpr std::string_view kOpenRc = "openrc.";
    if (part.starts_with(kOpenRc) && part.size() > kOpenRc.size())
      return {UnitName::Kind::service, std::string(part.substr(kOpenRc.size()))};
  }
  return {};
}

}  // namespace

UnitName unitOf(std::string_view cgroup_text) {
  constexpr std::string_view kSystemd = "name=systemd";
  UnitName unified, other;
  while (!cgroup_text.empty()) {
    std::string_view line = takeLine(cgroup_text);
    const auto first = line.find(':');
    const auto second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    UnitName unit = unitOfPath(line.substr(second + 1));
    if (unit.kind == UnitName::Kind::none) continue;
    if (controllers == kSystemd) return unit;
    (controllers.empty() ? unified : other) = std::move(unit);
  }
  return unified.kind == UnitName::Kind::none ? other : unified;
}

}  // namespace virtseer::agent

#include "collect/cgroup.h"

#include <algorithm>

#include "collect/proc_files.h"

namespace virtseer::collect {

namespace fs = std::filesystem;

namespace {

/// Version 1 says "no limit" with a number near 2^63.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;

template <class T>
std::optional<T> least(std::optional<T> a, std::optional<T> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

bool there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

}  // namespace

Cgroup::Cgroup(fs::path hierarchies, std::string path)
    : root_(std::move(hierarchies)), path_(std::move(path)) {
  if (!path_.starts_with('/')) path_.insert(0, 1, '/');
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
}

std::vector<fs::path> Cgroup::lineage(std::initializer_list<const char*> hierarchies) const {
  for (const char* hierarchy : hierarchies) {
    const fs::path base = root_ / hierarchy;
    // Where version 1 is mounted, the root is a plain folder of hierarchies and no group itself.
    if (!there(base / "cgroup.procs") ||
        !there(base / fs::path(path_).relative_path() / "cgroup.procs"))
      continue;
    std::vector<fs::path> out;
    for (fs::path at = fs::path(path_).relative_path();; at = at.parent_path()) {
      out.push_back(at.empty() ? base : base / at);
      if (at.empty()) break;
    }
    return out;
  }
  return {};
}

bool Cgroup::exists() const {
  return !lineage({"", "unified", "cpu", "cpu,cpuacct", "cpuacct", "cpuset", "memory"}).empty();
}

std::optional<double> Cgroup::cpuSeconds() const {
  for (const auto& group : lineage({"", "unified"})) {
    const auto table = readTable(group / "cpu.stat");
    if (const auto used = table.find("usage_usec"); used != table.end())
      return static_cast<double>(used->second) / 1e6;
    break;
  }
  for (const auto& group : lineage({"cpuacct", "cpu,cpuacct"})) {
    if (const auto used = readNumber(group / "cpuacct.usage"))
      return static_cast<double>(*used) / 1e9;
    break;
  }
  return std::nullopt;
}

std::optional<double> Cgroup::quotaV2() const {
  std::optional<double> out;
  for (const auto& group : lineage({"", "unified"})) {
    const auto text = readText(group / "cpu.max");
    if (!text) continue;
    const auto parts = words(*text);
    if (parts.size() != 2) continue;
    const auto quota = number(parts[0]), period = number(parts[1]);
    if (quota && period && *period > 0)
      out = least<double>(out, static_cast<double>(*quota) / static_cast<double>(*period));
  }
  return out;
}

std::optional<double> Cgroup::quotaV1() const {
  std::optional<double> out;
  for (const auto& group : lineage({"cpu", "cpu,cpuacct"})) {
    // No quota is "-1", which is no unsigned number.
    const auto quota = readNumber(group / "cpu.cfs_quota_us");
    const auto period = readNumber(group / "cpu.cfs_period_us");
    if (quota && period && *period > 0)
      out = least<double>(out, static_cast<double>(*quota) / static_cast<double>(*period));
  }
  return out;
}

std::optional<double> Cgroup::cpusetSize() const {
  const auto size = [](const fs::path& file) -> std::optional<double> {
    const auto text = readText(file);
    const auto count = text ? cpusInList(*text) : std::nullopt;
    return count ? std::optional<double>(*count) : std::nullopt;
  };
  for (const auto& group : lineage({"", "unified"}))
    if (const auto count = size(group / "cpuset.cpus.effective")) return count;
  for (const auto& group : lineage({"cpuset"})) {
    if (const auto count = size(group / "cpuset.effective_cpus")) return count;
    if (const auto count = size(group / "cpuset.cpus")) return count;
  }
  return std::nullopt;
}

std::optional<double> Cgroup::cpuLimit() const {
  return least(least(quotaV2(), quotaV1()), cpusetSize());
}

std::optional<std::uint64_t> Cgroup::memoryUsed() const {
  const auto read = [](const fs::path& group, const char* usage,
                       const char* reclaimable) -> std::optional<std::uint64_t> {
    const auto used = readNumber(group / usage);
    if (!used) return std::nullopt;
    const auto table = readTable(group / "memory.stat");
    const auto spare = table.find(std::string_view(reclaimable));
    return *used - std::min(*used, spare == table.end() ? 0 : spare->second);
  };
  if (const auto groups = lineage({"", "unified"}); !groups.empty())
    if (const auto used = read(groups.front(), "memory.current", "inactive_file")) return used;
  if (const auto groups = lineage({"memory"}); !groups.empty())
    return read(groups.front(), "memory.usage_in_bytes", "total_inactive_file");
  return std::nullopt;
}

std::optional<std::uint64_t> Cgroup::memoryLimit() const {
  std::optional<std::uint64_t> out;
  for (const auto& group : lineage({"", "unified"}))
    out = least(out, readNumber(group / "memory.max"));
  for (const auto& group : lineage({"memory"})) {
    const auto limit = readNumber(group / "memory.limit_in_bytes");
    if (limit && *limit < kNoLimit) out = least(out, limit);
  }
  return out;
}

std::optional<std::string> Cgroup::pressure(const std::string& resource) const {
  const auto groups = lineage({"", "unified"});
  return groups.empty() ? std::nullopt : readText(groups.front() / (resource + ".pressure"));
}

}  // namespace virtseer::collect

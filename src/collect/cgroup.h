#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace virtseer::collect {

/// One control group, in whichever hierarchies there are: version 2, version 1, or both side by
/// side. Each figure is taken from where it is found first, and is absent where none has it. Reads
/// files: blocks for as long as the kernel takes.
class Cgroup {
 public:
  /// `hierarchies`: usually /sys/fs/cgroup. `path`: the group's path below each hierarchy; "/" is
  /// the root (which in a cgroup namespace is the namespace's own group).
  Cgroup(std::filesystem::path hierarchies, std::string path);

  /// True if the group exists in any hierarchy.
  bool exists() const;
  const std::string& path() const { return path_; }

  /// CPU time used by all in it: `usage_usec` of cpu.stat, cpuacct.usage.
  std::optional<double> cpuSeconds() const;
  /// Cores that it may use at once: the least of its cpuset and the quotas of it and all above it.
  std::optional<double> cpuLimit() const;
  /// Memory in use without what the kernel would give back first: memory.current or usage_in_bytes,
  /// less inactive file pages.
  std::optional<std::uint64_t> memoryUsed() const;
  /// Least of the limits of it and all above it.
  std::optional<std::uint64_t> memoryLimit() const;
  /// Text of its `cpu.pressure`, `memory.pressure` or `io.pressure`.
  std::optional<std::string> pressure(const std::string& resource) const;

 private:
  /// The group and those above it, inside out, in the first of these hierarchies that has the
  /// group.
  std::vector<std::filesystem::path> lineage(std::initializer_list<const char*> hierarchies) const;
  std::optional<double> quotaV2() const;
  std::optional<double> quotaV1() const;
  std::optional<double> cpusetSize() const;

  std::filesystem::path root_;
  std::string path_;
};

}  // namespace virtseer::collect

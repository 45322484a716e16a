#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Reading of the kernel's two shapes of named counters. Both keep in mind where a name stood, as a
/// running kernel does not move it, and search anew where it is not there any more.
namespace virtseer::agent {

/// A file of lines "key value", such as /proc/vmstat and /proc/meminfo (keys with their colon).
class FieldLines {
 public:
  /// `keys` outlive this.
  explicit FieldLines(std::span<const std::string_view> keys);

  void read(std::string_view content);
  /// The value of the key of this place in `keys`; nothing where the file did not tell it.
  std::optional<std::uint64_t> operator[](std::size_t key) const { return values_[key]; }

 private:
  /// Where not all keys are told, reads between two searches for the others.
  static constexpr unsigned kReadsPerSearch = 64;

  bool readInOrder(std::string_view content);
  void learn(std::string_view content);

  std::span<const std::string_view> keys_;
  std::vector<std::optional<std::uint64_t>> values_;
  std::vector<std::size_t> order_;  ///< the keys that are told, as they follow each other
  unsigned reads_ = 0;
};

/// A line of names and a line of values that both begin with the same word, as in /proc/net/snmp
/// and /proc/net/netstat: "Udp: InDatagrams NoPorts" and "Udp: 26 0".
class FieldPairs {
 public:
  /// `names` outlive this. `prefix` is the word with its colon.
  FieldPairs(std::string_view prefix, std::span<const std::string_view> names);

  void read(std::string_view content);
  /// The value of the name of this place in `names`; nothing where the file did not tell it.
  std::optional<std::uint64_t> operator[](std::size_t name) const { return values_[name]; }

 private:
  void learn(std::string_view heads);

  std::string_view prefix_;
  std::span<const std::string_view> names_;
  std::vector<std::optional<std::uint64_t>> values_;
  std::string heads_;                ///< the line of names that `wanted_` belongs to
  std::vector<std::size_t> wanted_;  ///< by place in that line: a place in `names`, or kNone
};

}  // namespace virtseer::agent

#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ebpf/descriptor.h"

/// Files and descriptors, as the agent needs them.
namespace virtseer::agent {

using virtseer::ebpf::Descriptor;
using virtseer::ebpf::errorText;

/// Bytes that one round's files are read into, one after the other. Grows to the largest file.
using Scratch = std::string;

/// A file of the kernel that stays open and is read from its start each round.
class KernelFile {
 public:
  /// Opens and reads once, since some files open and then fail. Failure: the path and the reason.
  std::expected<void, std::string> open(const std::string& path);
  /// The file's content in `scratch` (at most 1 MiB); nothing where it cannot be read.
  std::optional<std::string_view> read(Scratch& scratch) const;

 private:
  Descriptor fd_;
};

/// The content of a small file (at most 1 MiB) without its final newline. Failure: path and reason.
std::expected<std::string, std::string> readFile(const std::string& path);

/// Writes `text` at the start of an existing file. Failure: path and reason.
std::expected<void, std::string> writeFile(const std::string& path, std::string_view text);

/// Names in a directory, without those that begin with a dot; empty where it is not there.
std::vector<std::string> entries(const std::string& path);

bool exists(const std::string& path);

}  // namespace virtseer::agent

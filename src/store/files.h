#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace virtseer::store {

/// The failure that errno tells of: full (no space, quota, size limit), refused (no right,
/// read-only), busy or failed. `what` is put in front.
Error systemError(std::string_view what, int number);

/// A file descriptor that is closed at the end.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }

  bool open() const { return fd_ >= 0; }
  int get() const { return fd_; }
  void reset();
  int release();

 private:
  int fd_ = -1;
};

/// The whole of a file of at most `most` bytes.
Result<std::string> readFile(const std::filesystem::path& path, std::size_t most);

/// Writes all of `bytes` to a new file, which must not exist, and syncs it.
Result<void> writeNewFile(const std::filesystem::path& path, std::string_view bytes);

/// Makes a new file of `bytes` bytes whose room on the disk is certain.
Result<void> reserveFile(const std::filesystem::path& path, std::uint64_t bytes);

/// Writes all or says why not; what was written of it then stays.
Result<void> writeAll(int fd, std::string_view bytes, std::string_view what);

/// Makes the creation, renaming and removal of the directory's files last.
Result<void> syncDirectory(const std::filesystem::path& directory);

}  // namespace virtseer::store

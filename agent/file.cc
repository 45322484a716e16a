#include "agent/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace virtseer::agent {
namespace {

constexpr std::size_t kFirstBytes = 8 * 1024;
constexpr std::size_t kMostBytes = 1024 * 1024;

/// Reads from the start until the end, growing `into`. Gives the count of bytes, or -errno.
ssize_t readWhole(int fd, std::string& into) {
  if (into.size() < kFirstBytes) into.resize(kFirstBytes);
  std::size_t size = 0;
  while (true) {
    const ssize_t count =
        ::pread(fd, into.data() + size, into.size() - size, static_cast<off_t>(size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    size += static_cast<std::size_t>(count);
    // Only an empty read is the end: the kernel also stops short between two records.
    if (count == 0) return static_cast<ssize_t>(size);
    if (size < into.size()) continue;
    if (into.size() >= kMostBytes) return static_cast<ssize_t>(size);
    into.resize(into.size() * 2);
  }
}

}  // namespace

std::expected<void, std::string> KernelFile::open(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::unexpected(path + ": " + errorText(errno));
  char byte;
  if (::pread(fd.get(), &byte, 1, 0) < 0) return std::unexpected(path + ": " + errorText(errno));
  fd_ = std::move(fd);
  return {};
}

std::optional<std::string_view> KernelFile::read(Scratch& scratch) const {
  if (!fd_) return std::nullopt;
  const ssize_t size = readWhole(fd_.get(), scratch);
  if (size <= 0) return std::nullopt;
  return std::string_view(scratch).substr(0, static_cast<std::size_t>(size));
}

std::expected<std::string, std::string> readFile(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::unexpected(path + ": " + errorText(errno));
  std::string content;
  const ssize_t size = readWhole(fd.get(), content);
  if (size < 0) return std::unexpected(path + ": " + errorText(static_cast<int>(-size)));
  content.resize(static_cast<std::size_t>(size));
  if (content.ends_with('\n')) content.pop_back();
  return content;
}

std::expected<void, std::string> writeFile(const std::string& path, std::string_view text) {
  const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()))
    return {};
  return std::unexpected(path + ": " + errorText(errno));
}

std::vector<std::string> entries(const std::string& path) {
  std::vector<std::string> names;
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  ::closedir(directory);
  return names;
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

}  // namespace virtseer::agent

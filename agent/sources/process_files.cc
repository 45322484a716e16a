#include "agent/sources/process_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>

#include "agent/scan.h"

namespace virtseer::agent {
namespace {

/// FIRST_PROCESS_ENTRY of fs/proc/root.c: what stands before it is no process.
constexpr std::int64_t kFirstProcess = 256;

}  // namespace

std::optional<std::int64_t> processCpuTime(std::int32_t pid) {
  // MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of linux/posix-timers.h, part of the kernel's ABI.
  const auto clock = static_cast<clockid_t>(~static_cast<std::uint32_t>(pid) << 3 | 2);
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) return std::nullopt;
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::expected<void, std::string> ProcessFiles::open(const std::string& root) {
  const std::string path = root + "/proc";
  Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return std::unexpected(path + ": " + errorText(errno));
  directory_ = std::move(directory);
  first_ = root.empty() ? kFirstProcess : 0;
  within_ = false;
  return {};
}

bool ProcessFiles::list(std::vector<std::int32_t>& pids, std::size_t most) {
  if (!within_) ::lseek(directory_.get(), first_, SEEK_SET);
  within_ = true;
  const std::size_t enough = pids.size() + most;
  while (pids.size() < enough) {
    const long size = ::syscall(SYS_getdents64, directory_.get(), buffer_.data(), buffer_.size());
    if (size <= 0) {
      within_ = false;
      return size == 0;
    }
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer_.data() + at);
      at += entry->d_reclen;
      const auto pid = parseNumber(entry->d_name);
      if (pid && *pid > 0 && *pid <= INT32_MAX) pids.push_back(static_cast<std::int32_t>(*pid));
    }
  }
  return false;
}

std::expected<std::string_view, ProcessFiles::Failure> ProcessFiles::read(std::int32_t pid,
                                                                          std::string_view name) {
  std::array<char, 32> path;
  char* end = std::to_chars(path.data(), path.data() + 12, pid).ptr;
  *end++ = '/';
  end = std::copy(name.begin(), name.end(), end);
  *end = '\0';
  const Descriptor file(::openat(directory_.get(), path.data(), O_RDONLY | O_CLOEXEC));
  const ssize_t size = file ? ::read(file.get(), buffer_.data(), buffer_.size()) : -1;
  if (size >= 0) return std::string_view(buffer_.data(), static_cast<std::size_t>(size));
  if (errno == ENOENT || errno == ESRCH) return std::unexpected(Failure::gone);
  if (errno == EACCES || errno == EPERM) return std::unexpected(Failure::denied);
  return std::unexpected(Failure::other);
}

}  // namespace virtseer::agent

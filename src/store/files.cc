#include "store/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace virtseer::store {

Error systemError(std::string_view what, int number) {
  Code code = Code::failed;
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      code = Code::full;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = Code::refused;
      break;
    case EBUSY:
    case EMFILE:
    case ENFILE:
      code = Code::busy;
      break;
    default:
      break;
  }
  return {code, fmt::format("{}: {}", what, std::generic_category().message(number))};
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void Descriptor::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

int Descriptor::release() {
  return std::exchange(fd_, -1);
}

Result<std::string> readFile(const std::filesystem::path& path, std::size_t most) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open()) return fail(systemError(path.string(), errno));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail(systemError(path.string(), errno));
  const auto size = static_cast<std::size_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || size > most) {
    return fail(Code::invalid, path.string() + ": not a file, or too large");
  }
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(systemError(path.string(), errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

Result<void> writeAll(int fd, std::string_view bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail(systemError(what, errno));
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

Result<void> writeNewFile(const std::filesystem::path& path, std::string_view bytes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  if (!file.open()) return fail(systemError(path.string(), errno));
  if (auto written = writeAll(file.get(), bytes, path.string()); !written) return written;
  if (::fsync(file.get()) != 0) return fail(systemError(path.string(), errno));
  return {};
}

Result<void> reserveFile(const std::filesystem::path& path, std::uint64_t bytes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  if (!file.open()) return fail(systemError(path.string(), errno));
  const int error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (error != 0) return fail(systemError(path.string(), error));
  return {};
}

Result<void> syncDirectory(const std::filesystem::path& directory) {
  const Descriptor handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!handle.open() || ::fsync(handle.get()) != 0) {
    return fail(systemError(directory.string(), errno));
  }
  return {};
}

}  // namespace virtseer::store

#include "daemon/agent_tokens.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/descriptor.h"
#include "collect/agent_tokens.h"

namespace virtseer::daemon {
namespace {

constexpr std::size_t kTokenBytes = 32;

Error systemError(const std::filesystem::path& path, std::string_view what) {
  const int number = errno;
  return {number == ENOSPC ? Code::full : Code::failed,
          fmt::format("{}: {}: {}", path.string(), what, std::strerror(number))};
}

Result<std::string> randomToken() {
  std::array<unsigned char, kTokenBytes> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return fail(Code::failed, "no random bytes for a token");
  std::string out;
  for (const auto byte : bytes) out += fmt::format("{:02x}", byte);
  return out + "\n";
}

/// Writes a file that nobody but its owner ever could read, in place of what is there.
Result<void> writeFile(const std::filesystem::path& path, std::string_view text) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail(systemError(path, "cannot be deleted"));
  const Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail(systemError(path, "cannot be made"));
  if (::fchmod(file.get(), 0600) != 0 ||
      ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(file.get()) != 0)
    return fail(systemError(path, "cannot be written"));
  return {};
}

}  // namespace

std::filesystem::path AgentTokens::file(const Uuid& vm) const {
  return folder_ / (vm.text() + ".token");
}

bool AgentTokens::there(const Uuid& vm) const {
  struct stat found{};
  return ::lstat(file(vm).c_str(), &found) == 0;
}

Result<bool> AgentTokens::usable(const Uuid& vm) const {
  const auto token = collect::readAgentToken(folder_, vm);
  // Of what cannot be read now nobody knows whether it is one.
  if (!token && token.error().code == Code::failed) return fail(token.error());
  return token.has_value();
}

Result<bool> AgentTokens::make(const Uuid& vm) const {
  const auto had = usable(vm);
  if (!had || *had) return had;
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(systemError(folder_, "cannot be made"));
  const auto token = randomToken();
  if (!token) return fail(token.error());
  // Whoever looks while it is written sees no token, and never half of one.
  const auto path = file(vm);
  auto fresh = path;
  fresh += ".new";
  if (auto written = writeFile(fresh, *token); !written) return fail(written.error());
  if (::rename(fresh.c_str(), path.c_str()) != 0) return fail(systemError(path, "cannot be made"));
  const Descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0)
    return fail(systemError(folder_, "cannot be written through"));
  return false;
}

Result<bool> AgentTokens::drop(const Uuid& vm) const {
  const auto path = file(vm);
  if (::unlink(path.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return fail(systemError(path, "cannot be deleted"));
}

Result<bool> AgentTokens::act(const Uuid& vm, act::TokenAct what) const {
  switch (what) {
    case act::TokenAct::usable:
      return usable(vm);
    case act::TokenAct::there:
      return there(vm);
    case act::TokenAct::make:
      return make(vm);
    case act::TokenAct::drop:
      break;
  }
  return drop(vm);
}

}  // namespace virtseer::daemon

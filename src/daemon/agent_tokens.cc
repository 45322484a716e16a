#include "daemon/agent_tokens.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/descriptor.h"
#include "collect/agent_tokens.h"

namespace virtseer::daemon {

namespace asio = boost::asio;

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
  return out;
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
  const auto token = randomToken();
  if (!token) return fail(token.error());
  if (auto written = write(vm, *token); !written) return fail(written.error());
  return false;
}

Result<std::string> AgentTokens::read(const Uuid& vm) const {
  return collect::readAgentToken(folder_, vm);
}

Result<void> AgentTokens::keep(const Uuid& vm, std::string_view token) const {
  if (!collect::isAgentToken(token))
    return fail(Code::invalid, "what came with the VM is no token of 16 to 256 characters");
  return write(vm, token);
}

Result<void> AgentTokens::write(const Uuid& vm, std::string_view token) const {
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(systemError(folder_, "cannot be made"));
  // Whoever looks while it is written sees no token, and never half of one.
  const auto path = file(vm);
  auto fresh = path;
  fresh += ".new";
  if (auto written = writeFile(fresh, std::string(token) + "\n"); !written)
    return fail(written.error());
  if (::rename(fresh.c_str(), path.c_str()) != 0) return fail(systemError(path, "cannot be made"));
  const Descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0)
    return fail(systemError(folder_, "cannot be written through"));
  return {};
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

// A job may outlive the coroutine that waits for it, and this object.

asio::awaitable<Result<std::optional<std::string>>> TokensOffLoop::read(Uuid vm) {
  const auto token = std::make_shared<std::string>();
  const auto had = co_await run_([tokens = tokens_, vm, token]() -> Result<bool> {
    auto read = tokens.read(vm);
    if (!read && read.error().code == Code::not_found) return false;
    if (!read) return fail(read.error());
    *token = std::move(*read);
    return true;
  });
  if (!had) co_return fail(had.error());
  co_return *had ? std::optional(*token) : std::nullopt;
}

asio::awaitable<Result<void>> TokensOffLoop::keep(Uuid vm, std::string token) {
  const auto kept =
      co_await run_([tokens = tokens_, vm, token = std::move(token)]() -> Result<bool> {
        if (auto written = tokens.keep(vm, token); !written) return fail(written.error());
        return true;
      });
  if (!kept) co_return fail(kept.error());
  co_return Result<void>{};
}

asio::awaitable<Result<void>> TokensOffLoop::drop(Uuid vm) {
  const auto dropped = co_await run_([tokens = tokens_, vm] { return tokens.drop(vm); });
  if (!dropped) co_return fail(dropped.error());
  co_return Result<void>{};
}

}  // namespace virtseer::daemon

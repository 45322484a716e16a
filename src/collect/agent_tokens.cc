#include "collect/agent_tokens.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/descriptor.h"
#include "virtseer/echo/wire.h"

namespace virtseer::collect {

bool isAgentToken(std::string_view token) {
  return token.size() >= echo::kMinTokenBytes && token.size() <= echo::kMaxTextBytes &&
         std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f'; });
}

Result<std::string> readAgentToken(const std::filesystem::path& folder, Uuid vm) {
  const auto file = folder / (vm.text() + ".token");
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  const auto failure = [&](Code code, const std::string& why) {
    return fail(code, file.string() + ": " + why);
  };
  if (!fd && errno == ELOOP)
    return failure(Code::invalid, "is a link, which is not followed: enroll the VM again");
  if (!fd) return failure(errno == ENOENT ? Code::not_found : Code::failed, std::strerror(errno));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return failure(Code::failed, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return failure(Code::invalid, "is no file");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return failure(Code::refused, "is open to others: chmod 600 " + file.string());
  char buffer[1024];
  const ssize_t size = ::read(fd.get(), buffer, sizeof buffer);
  if (size < 0) return failure(Code::failed, std::strerror(errno));
  std::string_view content(buffer, static_cast<std::size_t>(size));
  std::string token(content.substr(0, content.find_first_of(" \t\r\n")));
  ::explicit_bzero(buffer, sizeof buffer);
  if (!isAgentToken(token))
    return failure(Code::invalid, "holds no token of 16 to 256 characters: enroll the VM again");
  return token;
}

bool sameSecret(std::string_view a, std::string_view b) {
  const auto at = [](std::string_view text, std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  volatile unsigned different = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < echo::kMaxTextBytes; ++i)
    different = different | (at(a, i) ^ at(b, i));
  return different == 0;
}

}  // namespace virtseer::collect

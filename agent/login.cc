#include "agent/login.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "agent/file.h"
#include "agent/scan.h"
#include "virtseer/echo/codec.h"
#include "virtseer/uuid.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kMaxFileBytes = 4096;

}  // namespace

void wipe(std::string& secret) {
  ::explicit_bzero(secret.data(), secret.size());
  secret.clear();
}

std::expected<std::string, std::string> readToken(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return std::unexpected(path + ": " + errorText(errno));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return std::unexpected(path + ": is no file");
  if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0)
    return std::unexpected(path + ": is open to everybody: chmod o= " + path);
  char buffer[kMaxFileBytes];
  const ssize_t size = ::read(fd.get(), buffer, sizeof buffer);
  if (size < 0) return std::unexpected(path + ": " + errorText(errno));
  std::string_view content(buffer, static_cast<std::size_t>(size));
  std::string_view line = takeLine(content);
  std::string token(takeWord(line));
  const bool alone = line.find_first_not_of(" \t\r") == line.npos;
  ::explicit_bzero(buffer, sizeof buffer);
  if (token.ends_with('\r')) token.pop_back();
  if (alone && token.size() >= echo::kMinTokenBytes && echo::isText(token)) return token;
  wipe(token);
  return std::unexpected(path +
                         ": holds no token of 16 to 256 characters in its first line: copy what "
                         "'virtseer enroll' made for this VM on the host");
}

std::expected<std::string, std::string> vmUuid(const Config& config, const std::string& root) {
  if (!config.vm_uuid.empty()) return config.vm_uuid;
  std::string said;
  // The firmware's file is root's alone; the unit has systemd read it.
  if (const char* folder = std::getenv("CREDENTIALS_DIRECTORY"))
    said = readFile(std::string(folder) + "/product_uuid").value_or("");
  if (said.empty()) said = readFile(root + "/sys/class/dmi/id/product_uuid").value_or("");
  const auto uuid = Uuid::parse(said);
  if (uuid && !uuid->isNil()) return uuid->text();
  return std::unexpected(
      "which VM this is cannot be read from /sys/class/dmi/id/product_uuid: set vm_uuid to what "
      "'virsh domuuid' says on the host");
}

std::expected<std::string, std::string> loginFrame(const Config& config, const std::string& root) {
  const auto uuid = vmUuid(config, root);
  if (!uuid) return std::unexpected(uuid.error());
  auto token = readToken(config.token_file);
  if (!token) return std::unexpected(token.error());
  echo::Login login{*uuid, std::move(*token)};
  std::string frame = echo::encode(login);
  wipe(login.token);
  return frame;
}

}  // namespace virtseer::agent

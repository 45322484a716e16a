#include "agent/port.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "agent/server_port.h"
#include "virtseer/echo/wire.h"

namespace virtseer::agent {
namespace {

constexpr std::string_view kUnix = "unix:";

/// A device or a UNIX socket. While no host reads, a virtio-serial port reads as ended and takes no
/// bytes, and stays open; a socket whose other end is gone is closed.
class LocalPort final : public Port {
 public:
  LocalPort(Descriptor fd, bool is_socket) : Port(std::move(fd)), is_socket_(is_socket) {}

  std::string_view read() override {
    if (!isOpen()) return {};
    const ssize_t count = ::read(fd(), buffer_.data(), buffer_.size());
    if (count > 0) return {buffer_.data(), static_cast<std::size_t>(count)};
    const bool later = count < 0 && (errno == EAGAIN || errno == EINTR);
    if (!later && (count < 0 || is_socket_)) close("");
    return {};
  }

  std::size_t write(std::string_view bytes) override {
    if (!isOpen()) return 0;
    const ssize_t count = ::write(fd(), bytes.data(), bytes.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EAGAIN && errno != EINTR) close("");
    return 0;
  }

 private:
  bool is_socket_;
  std::array<char, 8192> buffer_{};
};

/// Where the named port is: udev's link, or else the device whose name in /sys says so.
std::string findPort() {
  const std::string link = "/dev/virtio-ports/" + std::string(echo::kChannelName);
  if (exists(link)) return link;
  const std::string ports = "/sys/class/virtio-ports";
  for (const std::string& entry : entries(ports)) {
    const auto name = readFile(ports + "/" + entry + "/name");
    if (name && *name == echo::kChannelName) return "/dev/" + entry;
  }
  return link;
}

std::expected<Descriptor, std::string> connectTo(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return std::unexpected(path + ": too long for a socket");
  std::copy(path.begin(), path.end(), address.sun_path);
  Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
    return std::unexpected(path + ": " + errorText(errno));
  return fd;
}

std::expected<std::unique_ptr<Port>, std::string> openLocal(const std::string& configured) {
  if (configured.starts_with(kUnix)) {
    auto connected = connectTo(configured.substr(kUnix.size()));
    if (!connected) return std::unexpected(connected.error());
    return std::make_unique<LocalPort>(std::move(*connected), true);
  }
  const std::string path = configured.empty() ? findPort() : configured;
  Descriptor fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd) return std::unexpected(path + ": " + errorText(errno));
  return std::make_unique<LocalPort>(std::move(fd), false);
}

}  // namespace

std::expected<std::unique_ptr<Port>, std::string> openPort(const Config& config,
                                                           const std::string& root) {
  auto local = openLocal(config.port);
  if (local || config.server.empty()) return local;
  return callServer(config, root);
}

}  // namespace virtseer::agent

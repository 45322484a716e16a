#include "agent/port.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "virtseer/echo/wire.h"

namespace virtseer::agent {
namespace {

constexpr std::string_view kUnix = "unix:";

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

}  // namespace

std::expected<void, std::string> Port::open() {
  stream_ended_means_gone_ = path_.starts_with(kUnix);
  if (stream_ended_means_gone_) {
    auto connected = connectTo(path_.substr(kUnix.size()));
    if (!connected) return std::unexpected(connected.error());
    fd_ = std::move(*connected);
    return {};
  }
  const std::string path = path_.empty() ? findPort() : path_;
  Descriptor fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd) return std::unexpected(path + ": " + errorText(errno));
  fd_ = std::move(fd);
  return {};
}

std::string_view Port::read() {
  if (!fd_) return {};
  const ssize_t count = ::read(fd_.get(), buffer_.data(), buffer_.size());
  if (count > 0) return {buffer_.data(), static_cast<std::size_t>(count)};
  const bool later = count < 0 && (errno == EAGAIN || errno == EINTR);
  if (!later && (count < 0 || stream_ended_means_gone_)) fd_.reset();
  return {};
}

std::size_t Port::write(std::string_view bytes) {
  if (!fd_) return 0;
  const ssize_t count = ::write(fd_.get(), bytes.data(), bytes.size());
  if (count >= 0) return static_cast<std::size_t>(count);
  if (errno != EAGAIN && errno != EINTR) fd_.reset();
  return 0;
}

}  // namespace virtseer::agent

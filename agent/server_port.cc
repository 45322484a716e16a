#include "agent/server_port.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "agent/login.h"

namespace virtseer::agent {
namespace {

/// A host that vanished without a word is noticed after about a minute.
void noticeSilence(int fd) {
  const int on = 1, idle_s = 30, every_s = 10, probes = 3;
  const unsigned unacknowledged_ms = 60'000;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

std::expected<Descriptor, std::string> beginConnecting(const SocketAddress& address) {
  Descriptor fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(errorText(errno));
  if (address.family() != AF_VSOCK) noticeSilence(fd.get());
  if (::connect(fd.get(), address.get(), address.size) < 0 && errno != EINPROGRESS)
    return std::unexpected(errorText(errno));
  return fd;
}

}  // namespace

ServerPort::ServerPort(Descriptor connecting, std::string name, std::string login)
    : Port(std::move(connecting)), name_(std::move(name)), login_(std::move(login)) {}

ServerPort::~ServerPort() {
  wipe(login_);
}

void ServerPort::fail(std::string_view why) {
  close(name_ + ": " + std::string(why));
}

bool ServerPort::wantsRoom() const {
  return isOpen() && (stage_ == Stage::connecting || !out_.empty());
}

bool ServerPort::connected() {
  pollfd watched{fd(), POLLOUT, 0};
  if (::poll(&watched, 1, 0) <= 0) return false;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size) < 0) error = errno;
  if (error != 0) fail(errorText(error));
  return error == 0;
}

void ServerPort::advance() {
  if (!isOpen() || !flush()) return;
  if (stage_ == Stage::connecting) {
    if (!connected()) return;
    stage_ = Stage::securing;
  }
  if (stage_ != Stage::securing) return;
  const Step step = secure();
  if (!flush() || step != Step::done) return;
  stage_ = Stage::ready;
  sendLogin();
}

/// The login is far smaller than what a fresh socket takes, so it never waits in part but in out().
void ServerPort::sendLogin() {
  const std::size_t taken = seal(login_);
  if (isOpen() && taken < login_.size()) out_.append(login_, taken);
  wipe(login_);
  flush();
}

bool ServerPort::flush() {
  while (isOpen() && !out_.empty() && stage_ != Stage::connecting) {
    const ssize_t count = ::send(fd(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      out_.erase(0, static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      fail(errorText(errno));
    }
  }
  return isOpen();
}

ssize_t ServerPort::receive(char* into, std::size_t size) {
  ssize_t count;
  do count = ::recv(fd(), into, size, 0);
  while (count < 0 && errno == EINTR);
  return count;
}

std::string_view ServerPort::read() {
  advance();
  if (!isReady()) return {};
  return {buffer_.data(), unseal(buffer_.data())};
}

std::size_t ServerPort::write(std::string_view bytes) {
  advance();
  if (!isReady() || !out_.empty()) return 0;
  const std::size_t taken = seal(bytes);
  flush();
  return taken;
}

std::size_t ServerPort::seal(std::string_view bytes) {
  const ssize_t count = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (errno != EAGAIN && errno != EINTR) fail(errorText(errno));
  return 0;
}

std::size_t ServerPort::unseal(char* into) {
  const ssize_t count = receive(into, kBufferBytes);
  if (count > 0) return static_cast<std::size_t>(count);
  if (count == 0)
    fail("the host closed the connection");
  else if (errno != EAGAIN)
    fail(errorText(errno));
  return 0;
}

std::expected<std::unique_ptr<Port>, std::string> callServer(const Config& config,
                                                             const std::string& root) {
  const auto server = parseServer(config.server);
  if (!server) return std::unexpected("server is no address: " + config.server);
  const auto failure = [&](const std::string& why) {
    return std::unexpected(config.server + ": " + why);
  };
  auto login = loginFrame(config, root);
  if (!login) return failure(login.error());
  const auto address = resolve(*server, root);
  if (!address) return failure(address.error());
  auto connecting = beginConnecting(*address);
  if (!connecting) return failure(connecting.error());
  if (server->kind == Server::Kind::vsock)
    return std::make_unique<ServerPort>(std::move(*connecting), config.server, std::move(*login));
  const auto authorities = readFile(config.server_ca);
  if (!authorities) return failure(authorities.error());
  return makeTlsPort(std::move(*connecting), config.server, std::move(*login), *authorities,
                     config.server_name.empty() ? server->host : config.server_name);
}

}  // namespace virtseer::agent

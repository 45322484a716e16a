#include "api/listen.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/text.h"

namespace virtseer::api {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// Beside the socket, until it is ready to take its name.
constexpr std::string_view kUnready = ".new";

/// Whether something answers at the socket. A full queue answers too.
bool answers(const std::filesystem::path& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
  const int failed =
      ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) ? errno : 0;
  ::close(fd);
  return failed != ECONNREFUSED && failed != ENOENT;
}

Result<void> placeIsFree(const std::filesystem::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return fail(Code::failed, std::strerror(errno));
  }
  if (!S_ISSOCK(status.st_mode))
    return fail(Code::invalid,
                "there is a file that is not a socket; move it away or set another api.socket");
  if (answers(path))
    return fail(Code::refused, "another daemon answers there; stop it or set another api.socket");
  return {};
}

}  // namespace

UnixListener::UnixListener(UnixAcceptor acceptor, std::filesystem::path path, dev_t device,
                           ino_t inode)
    : acceptor_(std::move(acceptor)), path_(std::move(path)), device_(device), inode_(inode) {}

UnixListener::~UnixListener() {
  close();
}

void UnixListener::close() {
  if (!acceptor_.is_open()) return;
  struct stat status{};
  if (::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_)
    ::unlink(path_.c_str());
  error_code ignored;
  acceptor_.close(ignored);
}

Result<UnixListener> listenUnix(const asio::any_io_executor& loop,
                                const std::filesystem::path& path) {
  const auto where = "socket " + printable(path.native());
  const std::string unready = path.native() + std::string(kUnready);
  if (path.empty() || unready.size() >= sizeof(sockaddr_un::sun_path))
    return fail(Code::invalid, fmt::format("{}: the path must have 1 to {} bytes", where,
                                           sizeof(sockaddr_un::sun_path) - kUnready.size() - 1));
  if (auto free = placeIsFree(path); !free) return fail(free.error().in(where));
  ::unlink(unready.c_str());

  UnixAcceptor acceptor(loop);
  error_code failed;
  acceptor.open(asio::local::stream_protocol(), failed);
  if (!failed) acceptor.bind(unready, failed);
  if (!failed && ::chmod(unready.c_str(), 0660) != 0)
    failed.assign(errno, boost::system::system_category());
  if (!failed) acceptor.listen(asio::socket_base::max_listen_connections, failed);
  struct stat status{};
  if (!failed &&
      (::lstat(unready.c_str(), &status) != 0 || ::rename(unready.c_str(), path.c_str()) != 0))
    failed.assign(errno, boost::system::system_category());
  if (failed) {
    ::unlink(unready.c_str());
    return fail(Code::failed, where + ": " + failed.message());
  }
  return UnixListener(std::move(acceptor), path, status.st_dev, status.st_ino);
}

Result<TcpAcceptor> listenTcp(const asio::any_io_executor& loop, std::string_view text) {
  const auto where = "listen " + printable(text);
  const auto colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  const auto digits = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  error_code failed;
  const auto address = asio::ip::make_address(std::string(host), failed);
  std::uint16_t port = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failed || digits.empty() || wrong != std::errc() || end != digits.data() + digits.size())
    return fail(Code::invalid,
                where + ": must be a numeric address and a port, such as 127.0.0.1:8686");

  const asio::ip::tcp::endpoint endpoint(address, port);
  TcpAcceptor acceptor(loop);
  acceptor.open(endpoint.protocol(), failed);
  if (!failed) acceptor.set_option(asio::socket_base::reuse_address(true), failed);
  if (!failed) acceptor.bind(endpoint, failed);
  if (!failed) acceptor.listen(asio::socket_base::max_listen_connections, failed);
  if (failed) return fail(Code::failed, where + ": " + failed.message());
  return acceptor;
}

Peer tcpPeer(const asio::ip::tcp::socket& socket) {
  Peer peer;
  peer.local = false;
  error_code failed;
  const auto plain = [](asio::ip::address address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped())
      return asio::ip::address(asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()));
    return address;
  };
  const auto remote = socket.remote_endpoint(failed);
  const auto shown = [](const asio::ip::address& address) {
    return address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  };
  if (!failed) {
    const auto address = plain(remote.address());
    peer.loopback = address.is_loopback();
    peer.remote = shown(address);
  }
  const auto local = socket.local_endpoint(failed);
  if (failed) return peer;
  peer.address = shown(plain(local.address()));
  return peer;
}

}  // namespace virtseer::api

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "agent/source.h"
#include "agent/statsd_totals.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kMaxDatagramBytes = 8192;
/// What one turn takes of a socket: others get their turn too.
constexpr int kDatagramsPerTurn = 64;
/// What is read between two rounds. Beyond it datagrams are taken all the same, so that no program
/// waits for room, and thrown away.
constexpr unsigned kDatagramsPerRound = 10'000;

using Opened = std::expected<Descriptor, std::string>;

Descriptor datagramSocket(int family) {
  return Descriptor(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/// Takes away the socket that an agent which was killed left behind, but none that is in use.
std::string clearPlace(const sockaddr_un& address) {
  struct stat status{};
  if (::lstat(address.sun_path, &status) < 0) return {};
  if (!S_ISSOCK(status.st_mode)) return "there is something else that is no socket";
  const Descriptor probe = datagramSocket(AF_UNIX);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno != ECONNREFUSED)
    return "another program takes what is sent there";
  return ::unlink(address.sun_path) < 0 ? errorText(errno) : std::string();
}

Opened bindPath(const std::string& path, mode_t mode) {
  const auto failure = [&](const std::string& why) { return std::unexpected(path + ": " + why); };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return failure("is too long a path for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  if (const std::string why = clearPlace(address); !why.empty()) return failure(why);
  Descriptor fd = datagramSocket(AF_UNIX);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::chmod(path.c_str(), mode) < 0)
    return failure(errorText(errno));
  return fd;
}

Opened bindPort(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Descriptor fd = datagramSocket(AF_INET);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const int error = errno;
  const std::string number = std::to_string(port);
  std::string why = "127.0.0.1:" + number + ": " + errorText(error);
  if (error == EPERM) why += " (the unit needs SocketBindAllow=ipv4:udp:" + number + ")";
  return std::unexpected(std::move(why));
}

/// Datagrams that the kernel threw away since the socket was made, as it had no room for more.
std::uint32_t droppedByKernel(const Descriptor& socket) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> figures{};
  socklen_t size = sizeof figures;
  if (!socket || ::getsockopt(socket.get(), SOL_SOCKET, SO_MEMINFO, figures.data(), &size) < 0)
    return 0;
  return figures[SK_MEMINFO_DROPS];
}

class StatsdSource : public Source {
 public:
  explicit StatsdSource(const Config& config)
      : path_(config.statsd), mode_(config.statsd_mode), port_(config.statsd_udp) {}
  ~StatsdSource() override { close(); }

  std::string_view name() const override { return "statsd"; }

  std::expected<void, std::string> open(const std::string& root) override {
    if (!path_.empty()) path_ = root + path_;
    epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
    listen();
    if (!local_ && !udp_) return std::unexpected(trouble_);
    return {};
  }

  int eventFd() const override { return epoll_.get(); }

  void attend() override {
    take(local_);
    take(udp_);
  }

  void read(Round& round) override {
    taken_ = 0;
    attend();
    const std::uint32_t dropped = droppedByKernel(udp_);
    totals_.drop(dropped - std::exchange(kernel_dropped_, dropped));
    totals_.tell(round);
  }

  void select(bool on) override {
    close();
    if (on) listen();
  }

  std::string trouble() const override { return trouble_; }

 private:
  void listen() {
    trouble_.clear();
    if (!path_.empty()) keep(local_, bindPath(path_, mode_));
    if (port_ != 0) keep(udp_, bindPort(port_));
  }

  void keep(Descriptor& socket, Opened opened) {
    if (!opened) {
      trouble_ += (trouble_.empty() ? "" : "; ") + opened.error();
      return;
    }
    socket = std::move(*opened);
    epoll_event event{.events = EPOLLIN, .data = {.fd = socket.get()}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.get(), &event);
  }

  void close() {
    if (local_) ::unlink(path_.c_str());
    local_.reset();
    udp_.reset();
    kernel_dropped_ = 0;
  }

  void take(const Descriptor& socket) {
    std::array<char, kMaxDatagramBytes> buffer;
    for (int i = 0; i < kDatagramsPerTurn && socket; ++i) {
      // With MSG_TRUNC a datagram's whole size is told, however much of it was read.
      const ssize_t size = ::recv(socket.get(), buffer.data(), buffer.size(), MSG_TRUNC);
      if (size < 0) return;
      if (static_cast<std::size_t>(size) > buffer.size() || ++taken_ > kDatagramsPerRound)
        totals_.drop(1);
      else
        totals_.take({buffer.data(), static_cast<std::size_t>(size)});
    }
  }

  std::string path_;
  const mode_t mode_;
  const std::uint16_t port_;
  Descriptor epoll_;
  Descriptor local_;
  Descriptor udp_;
  StatsdTotals totals_;
  unsigned taken_ = 0;                ///< datagrams since the last round
  std::uint32_t kernel_dropped_ = 0;  ///< of the UDP socket, when last told
  std::string trouble_;
};

}  // namespace

SourcePointer makeStatsdSource(const Config& config) {
  return std::make_unique<StatsdSource>(config);
}

}  // namespace virtseer::agent

#pragma once

#include <sys/stat.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <filesystem>
#include <string_view>

#include "api/admission.h"
#include "base/result.h"

namespace virtseer::api {

using UnixAcceptor = boost::asio::local::stream_protocol::acceptor;
using TcpAcceptor = boost::asio::ip::tcp::acceptor;

/// A listening UNIX socket that takes its file with it.
class UnixListener {
 public:
  UnixListener(UnixAcceptor acceptor, std::filesystem::path path, dev_t device, ino_t inode);
  UnixListener(UnixListener&&) = default;
  ~UnixListener();

  UnixAcceptor& acceptor() { return acceptor_; }

  /// Ends listening and removes the file, unless another has put its own there. Again: nothing.
  void close();

 private:
  UnixAcceptor acceptor_;
  std::filesystem::path path_;
  dev_t device_;
  ino_t inode_;
};

/// Listens at `path` with mode 0660. The file of a daemon that is dead is replaced; a socket that
/// answers, and a file that is no socket, are errors. The socket appears under its name only when
/// it is ready.
Result<UnixListener> listenUnix(const boost::asio::any_io_executor& loop,
                                const std::filesystem::path& path);

/// Listens at "ADDRESS:PORT", the address numeric ("[::1]:8686"); port 0 takes any.
Result<TcpAcceptor> listenTcp(const boost::asio::any_io_executor& loop, std::string_view address);

/// Who is on the other side of an accepted connection. IPv4 in IPv6 counts as IPv4.
Peer tcpPeer(const boost::asio::ip::tcp::socket& socket);

}  // namespace virtseer::api

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/file.h"
#include "agent/tcp_socket.h"

namespace virtseer::agent {

/// Asks the kernel for all TCP sockets of both families but those in TIME_WAIT, listeners first.
/// Never waits. Where tcp_diag is a module, the kernel loads it when it is first asked.
class SocketDump {
 public:
  /// Begins a dump into `buffer`, which the caller leaves alone until its end. Failure: why.
  std::expected<void, std::string> begin(Scratch& buffer);
  /// The next socket. False: the end, or a failure that `error` tells.
  bool next(TcpSocket& socket);
  /// Gives up what is left of a dump; also closes what is held open.
  void close();

  const std::string& error() const { return error_; }

 private:
  bool fail(int error);

  Descriptor fd_;
  Scratch* buffer_ = nullptr;
  std::string_view rest_;
  std::string error_;
};

}  // namespace virtseer::agent

#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "platform/environment.h"

namespace virtseer::collect {

/// A connection that an agent made, as a channel. As it is here its bytes are plain: vsock, which
/// only guests and their host can reach. Loop thread only.
class AcceptedSocket : public platform::Channel {
 public:
  /// `fd` does not block.
  AcceptedSocket(const boost::asio::any_io_executor& loop, Descriptor fd);

  /// What must precede bytes: the TLS handshake.
  boost::asio::awaitable<Result<void>> secure();

  boost::asio::awaitable<Result<std::string>> read() override;
  boost::asio::awaitable<Result<void>> write(std::string bytes) override;
  void close() override;

  /// Kept until this is destroyed.
  void hold(std::shared_ptr<void> what) { held_ = std::move(what); }

 protected:
  /// How one attempt went that does not block.
  struct Attempt {
    enum class How { done, needs_input, needs_room, ended } how = How::done;
    std::size_t bytes = 0;
    std::string why = {};  ///< it ended
  };

  virtual Attempt trySecure() { return {}; }
  virtual Attempt tryRead(char* into, std::size_t size);
  virtual Attempt tryWrite(std::string_view bytes);
  int fd() { return socket_.native_handle(); }

 private:
  /// Waits until what an attempt needs is there.
  boost::asio::awaitable<Result<void>> waitFor(Attempt attempt);

  boost::asio::posix::stream_descriptor socket_;
  std::shared_ptr<void> held_;
};

/// A server's certificate chain and key, ready for use.
class TlsIdentity;

/// Reads both (PEM). Blocks. Failure: which file, and why it cannot be used.
Result<std::shared_ptr<const TlsIdentity>> loadTlsIdentity(const std::filesystem::path& certificate,
                                                           const std::filesystem::path& key);

/// The server's end of TLS 1.2 or newer on an accepted socket that does not block.
Result<std::unique_ptr<AcceptedSocket>> tlsSocket(const boost::asio::any_io_executor& loop,
                                                  Descriptor fd, const TlsIdentity& identity);

}  // namespace virtseer::collect

#pragma once

#include <memory>
#include <string>

#include "base/pool.h"
#include "platform/environment.h"
#include "platform/inbox.h"
#include "platform/libvirt/connection.h"
#include "platform/libvirt/loop_gate.h"

namespace virtseer::platform {

/// A guest's flood is not held back by reading slowly: libvirt's client goes on taking the stream's
/// packets from its socket and keeps them without bound (virnetclientstream.c, rx). So everything
/// is read at once, and a channel whose reader is this far behind is ended.
inline constexpr std::size_t kMaxUnreadBytes = 4 * 1024 * 1024;
/// What may wait to be written to one guest.
inline constexpr std::size_t kMaxUnwrittenBytes = 1024 * 1024;

/// The libvirt half of a channel: a stream on a connection of its own.
///
/// Of its own, since a guest that does not read stops the daemon from reading the whole connection
/// as soon as five of its packets wait (max_client_requests): every other call on it would hang.
/// For the same reason sending may block, non-blocking stream or not, and happens on a pool.
///
/// The event thread reads, a pool's thread sends, the closer ends it. Bytes go to the inbox through
/// the gate.
class NativeChannel : public std::enable_shared_from_this<NativeChannel> {
 public:
  /// Opens the VM's channel, ending whoever has it. Blocks; a pool's thread.
  static Result<std::shared_ptr<NativeChannel>> open(std::shared_ptr<Connection> connection,
                                                     const Uuid& vm, const std::string& name,
                                                     std::shared_ptr<LoopGate> gate,
                                                     std::weak_ptr<Inbox> inbox);
  virtual ~NativeChannel() = default;

  /// Has the closer end the stream. Any thread, any number of times.
  virtual void close() = 0;
  /// Queues bytes to be sent; the total so far, or nullopt if too much waits.
  virtual std::optional<std::uint64_t> enqueue(std::string bytes) = 0;
  /// Sends what is queued, unless another thread is at it. Blocks; a pool's thread.
  virtual Result<void> drain() = 0;
  /// Ends the channel with this reason. Any thread.
  virtual void fail(Error why) = 0;
  /// The reader took so many bytes.
  virtual void taken(std::size_t bytes) = 0;
};

/// Closes the channel when nobody holds it any more, e.g. when it was opened too late for its
/// caller.
class ChannelHandle {
 public:
  explicit ChannelHandle(std::shared_ptr<NativeChannel> channel) : channel_(std::move(channel)) {}
  ~ChannelHandle() { channel_->close(); }
  ChannelHandle(const ChannelHandle&) = delete;
  ChannelHandle& operator=(const ChannelHandle&) = delete;

  const std::shared_ptr<NativeChannel>& get() const { return channel_; }

 private:
  const std::shared_ptr<NativeChannel> channel_;
};

/// The loop's half. `writers` outlives it.
class LibvirtChannel final : public Channel {
 public:
  LibvirtChannel(std::shared_ptr<ChannelHandle> handle, std::shared_ptr<Inbox> inbox,
                 BlockingPool& writers, Millis deadline)
      : handle_(std::move(handle)),
        inbox_(std::move(inbox)),
        writers_(writers),
        deadline_(deadline) {}
  ~LibvirtChannel() override { close(); }

  boost::asio::awaitable<Result<std::string>> read() override;
  /// A guest that does not take the bytes within the deadline has its channel ended.
  boost::asio::awaitable<Result<void>> write(std::string bytes) override;
  void close() override;

 private:
  const std::shared_ptr<ChannelHandle> handle_;
  const std::shared_ptr<Inbox> inbox_;
  BlockingPool& writers_;
  const Millis deadline_;
};

}  // namespace virtseer::platform

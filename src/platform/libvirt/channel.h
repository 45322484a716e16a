#pragma once

#include <memory>
#include <string>

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

/// The libvirt half of a channel: a non-blocking stream that the event thread reads and writes.
/// Bytes go to `inbox` through the gate. Lives until the loop, the callback and the closer let go.
class NativeChannel;

/// Owns a NativeChannel's stream: destroying it has the closer abort and free it.
class ChannelHandle {
 public:
  explicit ChannelHandle(std::shared_ptr<NativeChannel> channel) : channel_(std::move(channel)) {}
  ~ChannelHandle() { close(); }
  ChannelHandle(ChannelHandle&&) noexcept = default;
  ChannelHandle& operator=(ChannelHandle&&) = delete;

  void close();
  NativeChannel* operator->() const { return channel_.get(); }
  const std::shared_ptr<NativeChannel>& get() const { return channel_; }

 private:
  std::shared_ptr<NativeChannel> channel_;
};

/// Opens the VM's channel, ending whoever has it. Blocks; a pool's thread.
Result<std::shared_ptr<ChannelHandle>> openNativeChannel(std::shared_ptr<Connection> connection,
                                                         const Uuid& vm, const std::string& name,
                                                         std::shared_ptr<LoopGate> gate,
                                                         std::weak_ptr<Inbox> inbox);

/// The loop's half.
class LibvirtChannel final : public Channel {
 public:
  LibvirtChannel(std::shared_ptr<ChannelHandle> handle, std::shared_ptr<Inbox> inbox)
      : handle_(std::move(handle)), inbox_(std::move(inbox)) {}
  ~LibvirtChannel() override { close(); }

  boost::asio::awaitable<Result<std::string>> read() override;
  boost::asio::awaitable<Result<void>> write(std::string bytes) override;
  void close() override;

 private:
  std::shared_ptr<ChannelHandle> handle_;
  std::shared_ptr<Inbox> inbox_;
};

}  // namespace virtseer::platform

#include "platform/libvirt/channel.h"

#include <libvirt/libvirt.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <mutex>

#include "platform/libvirt/errors.h"

namespace virtseer::platform {

namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;
/// Chunks read in one callback: the other channels and the keepalive want their turn too.
constexpr int kChunksPerTurn = 8;

constexpr int kListening =
    VIR_STREAM_EVENT_READABLE | VIR_STREAM_EVENT_HANGUP | VIR_STREAM_EVENT_ERROR;

struct FreeStream {
  void operator()(virStreamPtr stream) const { virStreamFree(stream); }
};
using StreamPtr = std::unique_ptr<virStream, FreeStream>;

}  // namespace

class NativeChannel : public std::enable_shared_from_this<NativeChannel> {
 public:
  NativeChannel(std::shared_ptr<Connection> connection, StreamPtr stream,
                std::shared_ptr<LoopGate> gate, std::weak_ptr<Inbox> inbox)
      : connection_(std::move(connection)),
        stream_(std::move(stream)),
        gate_(std::move(gate)),
        inbox_(std::move(inbox)) {}

  /// Pool thread, once.
  Result<void> listen() {
    auto self = std::make_unique<std::shared_ptr<NativeChannel>>(shared_from_this());
    if (virStreamEventAddCallback(stream_.get(), kListening, onEvent, self.get(), freeSelf) < 0)
      return fail(lastError("listen to the channel", connection_->get()));
    self.release();  // libvirt frees it
    hub_id_ = hub_->add([weak = weak_from_this()](const std::string& why) {
      const auto channel = weak.lock();
      if (!channel) return;
      const std::lock_guard lock(channel->mutex_);
      if (!channel->closed_) channel->end({Code::unreachable, why});
    });
    return {};
  }

  /// Any thread, once; what libvirt does for it may block.
  void close() {
    Closer::close(connection_->closer(), [self = shared_from_this()] {
      {
        const std::lock_guard lock(self->mutex_);
        self->closed_ = true;
      }
      self->hub_->remove(self->hub_id_);
      // From here on the event thread does not touch the stream, so no lock is held over calls that
      // wait for the daemon.
      virStreamEventRemoveCallback(self->stream_.get());
      virStreamAbort(self->stream_.get());
      self->stream_.reset();
      self->connection_.reset();
    });
  }

  /// Loop thread: queues bytes; the total so far, or nullopt if too much waits.
  std::optional<std::uint64_t> enqueue(std::string bytes) {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_ + bytes.size() > kMaxUnwrittenBytes) return std::nullopt;
      waiting_ += bytes.size();
      queued_ += bytes.size();
      out_.push_back(std::move(bytes));
    }
    events_->post([self = shared_from_this()] {
      const std::lock_guard lock(self->mutex_);
      if (!self->closed_) self->flush();
    });
    return queued_;
  }

  /// Loop thread: the reader took this many bytes.
  void taken(std::size_t bytes) { unread_ -= bytes; }

 private:
  static void onEvent(virStreamPtr, int events, void* opaque) noexcept {
    // A copy: removing the callback frees the original.
    const auto self = *static_cast<std::shared_ptr<NativeChannel>*>(opaque);
    const std::lock_guard lock(self->mutex_);
    if (self->closed_) return;
    if (events & VIR_STREAM_EVENT_READABLE) self->receive();
    if (events & VIR_STREAM_EVENT_WRITABLE) self->flush();
    if (events & (VIR_STREAM_EVENT_HANGUP | VIR_STREAM_EVENT_ERROR))
      self->end({Code::unreachable, "the guest's end of the channel is gone"});
  }

  static void freeSelf(void* opaque) noexcept {
    delete static_cast<std::shared_ptr<NativeChannel>*>(opaque);
  }

  // With the mutex held, on the event thread.

  void receive() {
    for (int i = 0; i < kChunksPerTurn && !ended_; ++i) {
      const int count = virStreamRecv(stream_.get(), buffer_.data(), buffer_.size());
      if (count == -2) return;
      if (count < 0) return end(lastError("read the channel", nullptr));
      if (count == 0) return end({Code::unreachable, "the guest's end of the channel is gone"});
      const auto size = static_cast<std::size_t>(count);
      if ((unread_ += size) > kMaxUnreadBytes)
        return end({Code::busy, "the guest sends faster than it is read"});
      gate_->post([self = shared_from_this(), bytes = std::string(buffer_.data(), size)] {
        if (const auto inbox = self->inbox_.lock()) inbox->push(bytes);
      });
    }
  }

  void flush() {
    bool blocked = false;
    while (!out_.empty() && !ended_ && !blocked) {
      const auto& front = out_.front();
      const auto size = std::min(front.size() - front_sent_, kChunkBytes);
      const int count = virStreamSend(stream_.get(), front.data() + front_sent_, size);
      if (count == -2) {
        blocked = true;
      } else if (count < 0) {
        end(lastError("write the channel", nullptr));
      } else {
        front_sent_ += static_cast<std::size_t>(count);
        waiting_ -= static_cast<std::size_t>(count);
        sent_ += static_cast<std::uint64_t>(count);
        if (front_sent_ == front.size()) out_.pop_front(), front_sent_ = 0;
      }
    }
    gate_->post([self = shared_from_this(), total = sent_] {
      if (const auto inbox = self->inbox_.lock()) inbox->sent(total);
    });
    if (blocked == writable_wanted_ || ended_) return;
    writable_wanted_ = blocked;
    virStreamEventUpdateCallback(stream_.get(),
                                 kListening | (blocked ? VIR_STREAM_EVENT_WRITABLE : 0));
  }

  void end(Error why) {
    if (ended_) return;
    ended_ = true;
    virStreamEventUpdateCallback(stream_.get(), 0);
    gate_->post([self = shared_from_this(), why = std::move(why)] {
      if (const auto inbox = self->inbox_.lock()) inbox->end(why);
    });
  }

  std::shared_ptr<Connection> connection_;
  StreamPtr stream_;
  const std::shared_ptr<EventThread> events_ = connection_->events();
  const std::shared_ptr<CloseHub> hub_ = connection_->hub();
  std::uint64_t hub_id_ = 0;
  const std::shared_ptr<LoopGate> gate_;
  /// Not owned: its timers must end on the loop, and before the loop does.
  const std::weak_ptr<Inbox> inbox_;
  std::atomic<std::size_t> unread_ = 0;

  std::mutex mutex_;
  bool closed_ = false;
  bool ended_ = false;
  bool writable_wanted_ = false;
  std::deque<std::string> out_;
  std::size_t front_sent_ = 0;
  std::size_t waiting_ = 0;
  std::uint64_t queued_ = 0;
  std::uint64_t sent_ = 0;
  std::array<char, kChunkBytes> buffer_;
};

void ChannelHandle::close() {
  if (auto channel = std::move(channel_)) channel->close();
}

Result<std::shared_ptr<ChannelHandle>> openNativeChannel(std::shared_ptr<Connection> connection,
                                                         const Uuid& vm, const std::string& name,
                                                         std::shared_ptr<LoopGate> gate,
                                                         std::weak_ptr<Inbox> inbox) {
  const auto domain = findDomain(*connection, vm);
  if (!domain) return fail(domain.error());
  StreamPtr stream(virStreamNew(connection->get(), VIR_STREAM_NONBLOCK));
  if (!stream) return fail(lastError("open the channel", connection->get()));
  if (virDomainOpenChannel(domain->get(), name.c_str(), stream.get(), VIR_DOMAIN_CHANNEL_FORCE) < 0)
    return fail(lastError("open the channel", connection->get()));
  auto native = std::make_shared<NativeChannel>(std::move(connection), std::move(stream),
                                                std::move(gate), std::move(inbox));
  auto handle = std::make_shared<ChannelHandle>(native);
  if (auto listening = native->listen(); !listening) return fail(listening.error());
  return handle;
}

boost::asio::awaitable<Result<std::string>> LibvirtChannel::read() {
  const auto inbox = inbox_;
  const auto native = handle_->get();
  auto bytes = co_await Inbox::take(inbox);
  if (bytes && native) native->taken(bytes->size());
  co_return bytes;
}

boost::asio::awaitable<Result<void>> LibvirtChannel::write(std::string bytes) {
  const auto inbox = inbox_;
  if (inbox->ended()) co_return fail(*inbox->reason());
  const auto total = (*handle_)->enqueue(std::move(bytes));
  if (!total) co_return fail(Code::busy, "the guest does not read");
  co_return co_await Inbox::waitSent(inbox, *total);
}

void LibvirtChannel::close() {
  inbox_->end({Code::cancelled, "closed"});
  handle_->close();
}

}  // namespace virtseer::platform

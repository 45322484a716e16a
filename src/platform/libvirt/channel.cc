#include "platform/libvirt/channel.h"

#include <libvirt/libvirt.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <mutex>

#include "platform/libvirt/errors.h"
#include "platform/libvirt/stream_end.h"

namespace virtseer::platform {

namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;

struct FreeStream {
  void operator()(virStreamPtr stream) const { virStreamFree(stream); }
};
using StreamPtr = std::unique_ptr<virStream, FreeStream>;

class Stream final : public NativeChannel {
 public:
  Stream(std::shared_ptr<Connection> connection, StreamPtr stream, std::shared_ptr<LoopGate> gate,
         std::weak_ptr<Inbox> inbox)
      : connection_(std::move(connection)),
        stream_(std::move(stream)),
        gate_(std::move(gate)),
        inbox_(std::move(inbox)) {}

  /// Once, before anybody else has it.
  Result<void> listen() {
    constexpr int events =
        VIR_STREAM_EVENT_READABLE | VIR_STREAM_EVENT_HANGUP | VIR_STREAM_EVENT_ERROR;
    if (virStreamEventAddCallback(stream_.get(), events, onEvent, this, nullptr) < 0)
      return std::unexpected(lastError("listen to the channel", connection_->get()));
    kept_for_callback_ = shared();
    hub_->add([weak = std::weak_ptr(shared())](const std::string& why) {
      if (const auto channel = weak.lock()) channel->fail({Code::unreachable, why});
    });
    return {};
  }

  void close() override {
    if (closing_.exchange(true)) return;
    Closer::close(closer_, [self = shared()] {
      {
        const std::lock_guard lock(self->mutex_);
        if (!self->end_.close()) return;  // the sender finishes it, or it is finished
      }
      self->finish();
    });
  }

  std::optional<std::uint64_t> enqueue(std::string bytes) override {
    const std::lock_guard lock(mutex_);
    if (waiting_ + bytes.size() > kMaxUnwrittenBytes) return std::nullopt;
    waiting_ += bytes.size();
    queued_ += bytes.size();
    out_.push_back(std::move(bytes));
    return queued_;
  }

  Result<void> drain() override {
    std::unique_lock lock(mutex_);
    if (!end_.beginSending()) return {};
    Result<void> result;
    while (result && !out_.empty() && !ended_ && !end_.closed()) {
      const auto bytes = std::move(out_.front());
      out_.pop_front();
      lock.unlock();
      result = send(bytes);
      lock.lock();
      waiting_ -= bytes.size();
      sent_ += bytes.size();
      if (result) tellSent(sent_);
    }
    const bool finish_now = end_.endSending();
    lock.unlock();
    if (!result) fail(result.error());
    if (finish_now) Closer::close(closer_, [self = shared()] { self->finish(); });
    return result;
  }

  void fail(Error why) override {
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      ended_ = true;
    }
    gate_->post([inbox = inbox_, why = std::move(why)] {
      if (const auto reader = inbox.lock()) reader->end(why);
    });
    close();
  }

  void taken(std::size_t bytes) override { unread_ -= bytes; }

 private:
  std::shared_ptr<Stream> shared() { return std::static_pointer_cast<Stream>(shared_from_this()); }

  static void onEvent(virStreamPtr, int events, void* opaque) noexcept {
    auto* const self = static_cast<Stream*>(opaque);
    Result<void> received;
    {
      const std::lock_guard lock(self->mutex_);
      if (self->end_.closed() || self->ended_) return;
      if (events & VIR_STREAM_EVENT_READABLE) received = self->receive();
    }
    if (received && (events & (VIR_STREAM_EVENT_HANGUP | VIR_STREAM_EVENT_ERROR)))
      received = std::unexpected(Error{Code::unreachable, "the guest's end is gone"});
    if (!received) self->fail(received.error());
  }

  /// On the event thread, with the mutex held, so that the closer does not free the stream
  /// meanwhile. Takes everything there is: nobody fills libvirt's queue as long as this runs.
  Result<void> receive() {
    std::array<char, kChunkBytes> buffer;
    for (;;) {
      const int count = virStreamRecv(stream_.get(), buffer.data(), buffer.size());
      if (count == -2) return {};
      if (count < 0) return std::unexpected(lastError("read the channel", nullptr));
      if (count == 0) return std::unexpected(Error{Code::unreachable, "the guest's end is gone"});
      const auto size = static_cast<std::size_t>(count);
      if ((unread_ += size) > kMaxUnreadBytes)
        return std::unexpected(Error{Code::busy, "the guest sends faster than it is read"});
      gate_->post([inbox = inbox_, bytes = std::string(buffer.data(), size)] {
        if (const auto reader = inbox.lock()) reader->push(bytes);
      });
    }
  }

  /// On the sender's thread, without the mutex: may block until keepalive gives the connection up.
  Result<void> send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto size = std::min(bytes.size(), kChunkBytes);
      const int count = virStreamSend(stream_.get(), bytes.data(), size);
      if (count == -2) return std::unexpected(Error{Code::busy, "the guest does not read"});
      if (count < 0) return std::unexpected(lastError("write the channel", nullptr));
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
  }

  void tellSent(std::uint64_t total) {
    gate_->post([inbox = inbox_, total] {
      if (const auto reader = inbox.lock()) reader->sent(total);
    });
  }

  /// On the closer's thread, once, when nobody else touches the stream any more: see StreamEnd.
  void finish() {
    virStreamEventRemoveCallback(stream_.get());
    virStreamAbort(stream_.get());
    stream_.reset();
    connection_->events()->release(std::move(kept_for_callback_));
    connection_.reset();
  }

  std::shared_ptr<Connection> connection_;
  StreamPtr stream_;
  /// The callback may run until the event thread's next turn after it was removed; libvirt's remote
  /// driver never calls the function that is to free its argument (remoteStreamCallbackFree).
  std::shared_ptr<Stream> kept_for_callback_;
  const std::shared_ptr<Closer::Core> closer_ = connection_->closer();
  const std::shared_ptr<CloseHub> hub_ = connection_->hub();
  const std::shared_ptr<LoopGate> gate_;
  /// Not owned: its timers must end on the loop, and before the loop does.
  const std::weak_ptr<Inbox> inbox_;
  std::atomic<bool> closing_ = false;
  std::atomic<std::size_t> unread_ = 0;

  std::mutex mutex_;
  StreamEnd end_;
  bool ended_ = false;  ///< the reader was told
  std::deque<std::string> out_;
  std::size_t waiting_ = 0;
  std::uint64_t queued_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace

Result<std::shared_ptr<NativeChannel>> NativeChannel::open(std::shared_ptr<Connection> connection,
                                                           const Uuid& vm, const std::string& name,
                                                           std::shared_ptr<LoopGate> gate,
                                                           std::weak_ptr<Inbox> inbox) {
  const auto domain = findDomain(*connection, vm);
  if (!domain) return std::unexpected(domain.error());
  StreamPtr stream(virStreamNew(connection->get(), VIR_STREAM_NONBLOCK));
  if (!stream ||
      virDomainOpenChannel(domain->get(), name.c_str(), stream.get(), VIR_DOMAIN_CHANNEL_FORCE) < 0)
    return std::unexpected(lastError("open the channel", connection->get()));
  auto channel = std::make_shared<Stream>(std::move(connection), std::move(stream), std::move(gate),
                                          std::move(inbox));
  if (auto listening = channel->listen(); !listening) {
    channel->close();
    return std::unexpected(listening.error());
  }
  return channel;
}

boost::asio::awaitable<Result<std::string>> LibvirtChannel::read() {
  const auto native = handle_->get();
  auto bytes = co_await Inbox::take(inbox_);
  if (bytes) native->taken(bytes->size());
  co_return bytes;
}

boost::asio::awaitable<Result<void>> LibvirtChannel::write(std::string bytes) {
  // Copies: the channel may go while this waits.
  const auto inbox = inbox_;
  const auto native = handle_->get();
  if (inbox->ended()) co_return fail(*inbox->reason());
  const auto total = native->enqueue(std::move(bytes));
  if (!total) co_return fail(Code::busy, "the guest does not read");
  auto drained =
      co_await writers_.run("write the channel", deadline_, [native] { return native->drain(); });
  if (!drained) {
    if (drained.error().code == Code::timeout) drained.error().message = "the guest does not read";
    native->fail(drained.error());
    co_return drained;
  }
  co_return co_await Inbox::waitSent(inbox, *total);
}

void LibvirtChannel::close() {
  inbox_->end({Code::cancelled, "closed"});
  handle_->get()->close();
}

}  // namespace virtseer::platform

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "platform/environment.h"
#include "platform/libvirt/connection.h"
#include "platform/libvirt/loop_gate.h"

namespace virtseer::platform {

/// Brings libvirt's events from its event thread to the loop as copies.
///
/// A guest can make its host send events without end (reboots, I/O errors): what waits for the loop
/// is bounded, and when something was dropped, the loop is told to list everything again.
class NoticeSink : public std::enable_shared_from_this<NoticeSink> {
 public:
  static constexpr std::size_t kMaxWaiting = 4096;

  struct Receiver {
    std::function<void(std::uint64_t session, const Notice&)> notice;
    std::function<void(std::uint64_t session, std::string why)> closed;
  };

  explicit NoticeSink(std::shared_ptr<LoopGate> gate) : gate_(std::move(gate)) {}

  /// Loop thread. An empty receiver stops the delivery.
  void setReceiver(Receiver receiver) { receiver_ = std::move(receiver); }

  /// Any thread.
  void notice(std::uint64_t session, Notice notice) noexcept;
  void closed(std::uint64_t session, std::string why) noexcept;

 private:
  std::shared_ptr<LoopGate> gate_;
  Receiver receiver_;
  std::atomic<std::size_t> waiting_ = 0;
  std::atomic<bool> lost_ = false;
};

/// Registers the callbacks on `connection`, which takes them back when it closes. Returns false if
/// the driver gives no lifecycle events. Blocks.
bool subscribe(Connection& connection, std::uint64_t session,
               const std::shared_ptr<NoticeSink>& sink);

/// Words for virDomainEventType and its details, and for job operations.
std::string_view lifecycleWord(int event);
std::string_view lifecycleReason(int event, int detail);
std::string_view jobWord(int operation);

}  // namespace virtseer::platform

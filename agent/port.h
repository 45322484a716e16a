#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "agent/config.h"
#include "agent/file.h"

namespace virtseer::agent {

/// An open way to the host. Nothing here blocks. Closed once it is of no more use, to be opened
/// anew by openPort(); until then it is watched for changes (edge-triggered), and after each change
/// read until empty.
class Port {
 public:
  explicit Port(Descriptor fd) : fd_(std::move(fd)) {}
  virtual ~Port() = default;

  bool isOpen() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }
  /// Why it closed, where it knows; empty: the other end is gone.
  const std::string& reason() const { return reason_; }

  /// What has come, in pieces; empty where there is nothing now. Valid until the next call.
  virtual std::string_view read() = 0;
  /// How many of the bytes were taken; 0 where none can be now.
  virtual std::size_t write(std::string_view bytes) = 0;

  /// Whether it waits for room for bytes of its own.
  virtual bool wantsRoom() const { return false; }
  /// Whether it is beyond connecting: bytes can flow.
  virtual bool isReady() const { return isOpen(); }
  /// Whether the agent called the host: such a connection begins with nothing of an earlier one
  /// under way, and is tried again ever more slowly.
  virtual bool isCall() const { return false; }

  void close(std::string reason) {
    if (!fd_) return;
    reason_ = std::move(reason);
    fd_.reset();
  }

 private:
  Descriptor fd_;
  std::string reason_;
};

/// Opens the first of these that there is: `config.port`, or else the virtio port that is named
/// echo::kChannelName; `config.server`. `root` is that of /sys and /etc. Failure: what and why; of
/// the server where there is one.
std::expected<std::unique_ptr<Port>, std::string> openPort(const Config& config,
                                                           const std::string& root);

}  // namespace virtseer::agent

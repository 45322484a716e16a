#pragma once

#include <array>
#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "agent/file.h"

namespace virtseer::agent {

/// The way to the host: a virtio-serial port, or a UNIX socket (`unix:/path`). Nothing here blocks.
///
/// While no host reads, a virtio-serial port reads as ended and takes no bytes, and stays open; a
/// socket whose other end is gone is closed, to be opened again.
class Port {
 public:
  /// An empty path stands for the port that is named echo::kChannelName.
  explicit Port(std::string path) : path_(std::move(path)) {}

  /// Failure: path and reason.
  std::expected<void, std::string> open();
  bool isOpen() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }

  /// What has come, in pieces; empty where there is nothing now. Valid until the next call.
  std::string_view read();
  /// How many of the bytes were taken; 0 where none can be now.
  std::size_t write(std::string_view bytes);

 private:
  std::string path_;
  Descriptor fd_;
  bool stream_ended_means_gone_ = false;
  std::array<char, 8192> buffer_{};
};

}  // namespace virtseer::agent

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace virtseer::agent {

/// Encoded echoes that the daemon has not yet stored, oldest first, in one block of memory of which
/// only what was used is ever touched.
class EchoRing {
 public:
  struct Entry {
    std::uint64_t sequence;
    std::string_view frame;  ///< valid until the ring is changed
  };

  explicit EchoRing(std::size_t capacity_bytes);

  /// Keeps a frame; sequence numbers rise from call to call. Pushes out the oldest where there is
  /// no room. Gives how many echoes were lost by it (the frame itself where it is larger than the
  /// ring).
  std::size_t push(std::uint64_t sequence, std::string_view frame);
  /// Forgets everything up to `sequence`.
  void release(std::uint64_t sequence);
  /// The oldest entry whose number is `from` or above.
  std::optional<Entry> next(std::uint64_t from) const;
  /// The number of the oldest entry.
  std::optional<std::uint64_t> first() const;
  std::size_t count() const { return places_.size() - oldest_; }

 private:
  struct Place {
    std::uint64_t sequence;
    std::size_t offset;
    std::size_t size;
  };

  std::optional<std::size_t> room(std::size_t size) const;
  void popOldest();

  std::size_t capacity_;
  std::unique_ptr<char[]> bytes_;
  std::vector<Place> places_;  ///< those before oldest_ are gone
  std::size_t oldest_ = 0;
  std::size_t end_ = 0;  ///< offset behind the newest frame
};

}  // namespace virtseer::agent

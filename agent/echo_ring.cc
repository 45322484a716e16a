#include "agent/echo_ring.h"

#include <algorithm>

namespace virtseer::agent {

EchoRing::EchoRing(std::size_t capacity_bytes)
    : capacity_(capacity_bytes), bytes_(std::make_unique_for_overwrite<char[]>(capacity_bytes)) {}

/// Offset at which `size` bytes fit without touching what is kept. The frames lie in one run, or in
/// two when the newest have begun again at the start of the block.
std::optional<std::size_t> EchoRing::room(std::size_t size) const {
  if (count() == 0) return size <= capacity_ ? std::optional<std::size_t>(0) : std::nullopt;
  const std::size_t begin = places_[oldest_].offset;
  if (end_ > begin) {
    if (size <= capacity_ - end_) return end_;
    return size <= begin ? std::optional<std::size_t>(0) : std::nullopt;
  }
  return size <= begin - end_ ? std::optional<std::size_t>(end_) : std::nullopt;
}

std::size_t EchoRing::push(std::uint64_t sequence, std::string_view frame) {
  if (frame.empty() || frame.size() > capacity_) return 1;
  std::size_t lost = 0;
  std::optional<std::size_t> offset;
  while (!(offset = room(frame.size()))) {
    popOldest();
    ++lost;
  }
  std::copy(frame.begin(), frame.end(), bytes_.get() + *offset);
  end_ = *offset + frame.size();
  if (oldest_ > 64 && 2 * oldest_ > places_.size()) {
    places_.erase(places_.begin(), places_.begin() + static_cast<std::ptrdiff_t>(oldest_));
    oldest_ = 0;
  }
  places_.push_back({sequence, *offset, frame.size()});
  return lost;
}

void EchoRing::release(std::uint64_t sequence) {
  while (count() > 0 && places_[oldest_].sequence <= sequence) popOldest();
}

void EchoRing::popOldest() {
  if (++oldest_ < places_.size()) return;
  places_.clear();
  oldest_ = 0;
}

std::optional<EchoRing::Entry> EchoRing::next(std::uint64_t from) const {
  const auto place = std::lower_bound(
      places_.begin() + static_cast<std::ptrdiff_t>(oldest_), places_.end(), from,
      [](const Place& entry, std::uint64_t sequence) { return entry.sequence < sequence; });
  if (place == places_.end()) return std::nullopt;
  return Entry{place->sequence, {bytes_.get() + place->offset, place->size}};
}

std::optional<std::uint64_t> EchoRing::first() const {
  if (count() == 0) return std::nullopt;
  return places_[oldest_].sequence;
}

}  // namespace virtseer::agent

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace virtseer::agent {

/// Entries found by their member `key`, at most as many as were allowed, in the order in which they
/// were added. `key.hash()` gives a number. Memory is kept from use to use.
template <class Entry>
class Keyed {
 public:
  using Key = decltype(Entry::key);

  explicit Keyed(std::size_t most) : most_(most) {}

  void clear() {
    entries_.clear();
    slots_.assign(slots_.size(), 0);
  }

  Entry* find(const Key& key) {
    if (slots_.empty()) return nullptr;
    const std::uint16_t number = slots_[slotOf(key)];
    return number == 0 ? nullptr : &entries_[number - 1u];
  }

  /// The entry of this key, made where it is not there; null where there is no room. The address
  /// holds until the next one is made.
  Entry* at(const Key& key) {
    if (Entry* found = find(key)) return found;
    if (entries_.size() >= most_ || entries_.size() >= 0xffff) return nullptr;
    if (slots_.size() < 2 * (entries_.size() + 1)) grow();
    entries_.emplace_back().key = key;
    slots_[slotOf(key)] = static_cast<std::uint16_t>(entries_.size());
    return &entries_.back();
  }

  const std::vector<Entry>& entries() const { return entries_; }
  void swap(Keyed& other) {
    entries_.swap(other.entries_);
    slots_.swap(other.slots_);
  }

 private:
  static constexpr std::size_t kFirstSlots = 64;

  /// The slot that holds the key, or the free one where it belongs.
  std::size_t slotOf(const Key& key) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = (key.hash() * 0x9e3779b97f4a7c15u >> 32) & mask;
    while (slots_[slot] != 0 && !(entries_[slots_[slot] - 1u].key == key)) slot = (slot + 1) & mask;
    return slot;
  }

  void grow() {
    const std::size_t size = slots_.empty() ? kFirstSlots : 2 * slots_.size();
    slots_.assign(size, 0);
    for (std::size_t i = 0; i < entries_.size(); ++i)
      slots_[slotOf(entries_[i].key)] = static_cast<std::uint16_t>(i + 1);
  }

  std::size_t most_;
  std::vector<Entry> entries_;
  std::vector<std::uint16_t> slots_;  ///< an entry's place + 1, or 0; a power of two, half empty
};

}  // namespace virtseer::agent

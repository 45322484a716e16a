#include "platform/libvirt/reading.h"

namespace virtseer::platform {

std::uint64_t FactsCache::ticket() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

std::optional<DomainFacts> FactsCache::find(const Uuid& vm, int number) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(vm);
  if (found == entries_.end() || found->second.number != number) return std::nullopt;
  return found->second.facts;
}

void FactsCache::store(const Uuid& vm, int number, const DomainFacts& facts, std::uint64_t ticket) {
  const std::lock_guard lock(mutex_);
  const auto forgotten = forgotten_at_.find(vm);
  if (all_forgotten_at_ > ticket ||
      (forgotten != forgotten_at_.end() && forgotten->second > ticket))
    return;
  entries_.insert_or_assign(vm, Entry{number, facts});
}

void FactsCache::forget(const Uuid& vm) {
  const std::lock_guard lock(mutex_);
  entries_.erase(vm);
  forgotten_at_[vm] = ++now_;
}

void FactsCache::forgetAll() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
  forgotten_at_.clear();
  all_forgotten_at_ = ++now_;
}

void FactsCache::retain(const std::set<Uuid>& vms) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const auto& entry) { return !vms.contains(entry.first); });
  std::erase_if(forgotten_at_, [&](const auto& entry) { return !vms.contains(entry.first); });
}

std::size_t FactsCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace virtseer::platform

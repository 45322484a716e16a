#include "collect/caller_limits.h"

#include <algorithm>

namespace virtseer::collect {

const std::string& CallerLimits::origin(const std::string& address,
                                        const std::string& network) const {
  const bool proved = std::any_of(proved_.begin(), proved_.end(),
                                  [&](const auto& entry) { return entry.second == address; });
  return proved ? address : network;
}

CallerLimits::Verdict CallerLimits::admit(const std::string& origin, Instant now) {
  Origin& mine = of(origin, now);
  if (mine.offences.left(now) < 1) return Verdict::barred;
  if (clients_ >= options_.clients || pending_ >= options_.pending ||
      mine.pending >= options_.pending_of_origin)
    return Verdict::full;
  if (!mine.calls.take(1, now)) return Verdict::barred;
  ++clients_;
  ++pending_;
  ++mine.pending;
  return Verdict::welcome;
}

void CallerLimits::settle(const std::string& origin) {
  --pending_;
  const auto mine = origins_.find(origin);
  if (mine != origins_.end() && mine->second.pending > 0) --mine->second.pending;
}

void CallerLimits::offend(const std::string& origin, Instant now) {
  of(origin, now).offences.take(1, now);
}

void CallerLimits::prove(Uuid vm, const std::string& address) {
  if (proved_.size() >= options_.remembered && !proved_.contains(vm))
    proved_.erase(proved_.begin());
  proved_[vm] = address;
}

CallerLimits::Origin& CallerLimits::of(const std::string& origin, Instant now) {
  const auto known = origins_.find(origin);
  if (known != origins_.end()) return known->second;
  if (origins_.size() >= options_.remembered) forgetOne(now);
  const double seconds = std::chrono::duration<double>(options_.forgiven).count();
  return origins_
      .emplace(origin, Origin{.calls = {options_.calls_per_second, options_.calls},
                              .offences = {1 / seconds, options_.offences}})
      .first->second;
}

/// Makes room: of those that are not connecting now, the one that is forgiven most.
void CallerLimits::forgetOne(Instant now) {
  const auto rank = [&](const auto& entry) {
    const Origin& origin = entry.second;
    return origin.pending > 0 ? -1.0
                              : origin.offences.left(now) + origin.calls.left(now) / options_.calls;
  };
  origins_.erase(std::max_element(origins_.begin(), origins_.end(),
                                  [&](const auto& a, const auto& b) { return rank(a) < rank(b); }));
}

}  // namespace virtseer::collect

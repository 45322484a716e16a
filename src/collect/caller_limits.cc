#include "collect/caller_limits.h"

#include <algorithm>

namespace virtseer::collect {

double CallerLimits::left(const Offender& offender, Instant now) const {
  const double forgiven = std::chrono::duration<double>(now - offender.at) / options_.forgiven;
  return std::min(options_.offences, offender.left + std::max(0.0, forgiven));
}

CallerLimits::Verdict CallerLimits::admit(const std::string& address, Instant now) {
  const auto offender = offenders_.find(address);
  if (offender != offenders_.end() && left(offender->second, now) < 1) return Verdict::barred;
  const auto mine = pending_of_.find(address);
  if (clients_ >= options_.clients || pending_ >= options_.pending ||
      (mine != pending_of_.end() && mine->second >= options_.pending_of_address))
    return Verdict::full;
  ++clients_;
  ++pending_;
  ++pending_of_[address];
  return Verdict::welcome;
}

void CallerLimits::settle(const std::string& address) {
  --pending_;
  const auto mine = pending_of_.find(address);
  if (mine != pending_of_.end() && --mine->second == 0) pending_of_.erase(mine);
}

void CallerLimits::offend(const std::string& address, Instant now) {
  if (offenders_.size() >= options_.addresses && !offenders_.contains(address)) forgetOne(now);
  const auto [entry, fresh] = offenders_.try_emplace(address, Offender{options_.offences, now});
  entry->second = {std::max(0.0, left(entry->second, now) - 1), now};
}

/// Makes room: the address that is forgiven most.
void CallerLimits::forgetOne(Instant now) {
  offenders_.erase(std::max_element(
      offenders_.begin(), offenders_.end(),
      [&](const auto& a, const auto& b) { return left(a.second, now) < left(b.second, now); }));
}

}  // namespace virtseer::collect

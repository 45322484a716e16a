#include "daemon/duplicates.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "daemon/fleet_view.h"
#include "decide/doctor.h"

namespace virtseer::daemon {
namespace {

static_assert(Duplicates::kHold > kFactsLast);

/// Who says that a VM runs there.
struct Claims {
  std::string name;  ///< of the VM
  std::vector<std::pair<std::string, Timestamp>> hosts;

  /// The hosts that say so as of `since` or later.
  std::vector<std::string> of(Timestamp since) const {
    std::vector<std::string> out;
    for (const auto& [host, as_of] : hosts)
      if (as_of >= since) out.push_back(host);
    std::ranges::sort(out);
    return out;
  }
};

std::unordered_map<Uuid, Claims> claimsOf(const HostState& own,
                                          const std::vector<fleet::PeerState>& peers,
                                          Timestamp now) {
  std::unordered_map<Uuid, Claims> out;
  std::unordered_set<Uuid> told;
  const auto add = [&](const HostState& host) {
    if (now - host.as_of > Duplicates::kHold || !told.insert(host.uuid).second) return;
    for (const auto& vm : host.vms) {
      if (!runs(vm.state)) continue;
      Claims& claims = out[vm.uuid];
      if (claims.hosts.empty()) claims.name = vm.name;
      claims.hosts.emplace_back(host.name, host.as_of);
    }
  };
  add(own);
  for (const auto& peer : peers)
    if (peer.state) add(peer.state->host);
  std::erase_if(out, [](const auto& claims) { return claims.second.hosts.size() < 2; });
  return out;
}

Event event(const Duplicate& duplicate, bool found, Timestamp now) {
  const auto hosts = decide::hostsText(duplicate);
  return {.time = now,
          .severity = found ? Severity::error : Severity::info,
          .kind = found ? "vm.duplicate" : "vm.duplicate_over",
          .entity = duplicate.vm,
          .message = found ? sentence(duplicate)
                           : printable(duplicate.name) + " is no longer said to run on " + hosts +
                                 " at once",
          .fields = {{"hosts", hosts}}};
}

}  // namespace

std::string sentence(const Duplicate& duplicate) {
  return printable(duplicate.name) + " runs on " + decide::hostsText(duplicate) +
         " at once, as they say: 'virtseer doctor' says what to do";
}

std::vector<Event> Duplicates::take(const HostState& own,
                                    const std::vector<fleet::PeerState>& peers, Timestamp now) {
  std::vector<Event> out;
  const auto all = claimsOf(own, peers, now);
  std::erase_if(known_, [&](const auto& known) {
    if (all.contains(known.first)) return false;
    if (known.second.counts) out.push_back(event(known.second.duplicate, false, now));
    return true;
  });
  for (const auto& [vm, claims] : all) {
    Known& known = known_.try_emplace(vm, Known{{vm, claims.name, {}, now}, false}).first->second;
    auto& duplicate = known.duplicate;
    duplicate.since = std::min(duplicate.since, now);  // a clock that was set back counts anew
    if (known.counts) continue;
    duplicate.hosts = claims.of(duplicate.since + kHold);
    known.counts = duplicate.hosts.size() > 1;
    if (known.counts) out.push_back(event(duplicate, true, now));
  }
  return out;
}

std::vector<Duplicate> Duplicates::found() const {
  std::vector<Duplicate> out;
  for (const auto& [vm, known] : known_)
    if (known.counts) out.push_back(known.duplicate);
  std::ranges::sort(out, {}, [](const Duplicate& one) { return std::tie(one.name, one.vm); });
  return out;
}

}  // namespace virtseer::daemon

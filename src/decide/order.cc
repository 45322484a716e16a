#include "decide/order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "decide/words.h"

namespace virtseer::decide {
namespace {

/// Why no host of a ranking takes the VM, shortest way to say it.
std::string noHost(const Ranking& ranking) {
  std::string out;
  for (const auto& host : ranking.hosts)
    if (!host.current && !host.excluded.empty())
      out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", label(host.name),
                         host.excluded.front().words);
  return out.empty() ? "no other host is known: name peers in the configuration" : out;
}

}  // namespace

Result<RankedHost> destination(const Ranking& ranking, std::string_view wanted) {
  const auto& hosts = ranking.hosts;
  if (!wanted.empty()) {
    const auto named = std::ranges::find_if(hosts, [&](const RankedHost& host) {
      return host.name == wanted || host.host.text() == wanted;
    });
    if (named != hosts.end()) return *named;
    return fail(Code::not_found, "no host is called " + label(wanted));
  }
  const auto other = std::ranges::find_if(hosts, &RankedHost::fits);
  if (other == hosts.end())
    return fail(Code::refused, fmt::format("no host is better for {}: {}", label(ranking.vm_name),
                                           noHost(ranking)));
  const auto here = std::ranges::find_if(hosts, &RankedHost::current);
  const auto millionths = [](const RankedHost& host) { return std::llround(host.score * 1e6); };
  // What excludes the present host is that it is to be emptied.
  if (here == hosts.end() || !here->excluded.empty() || millionths(*other) > millionths(*here))
    return *other;
  return fail(Code::refused,
              fmt::format("no host is better for {} than {}, where it is ({:.2f}); the best other "
                          "one is {} ({:.2f}): name it to move the VM there all the same",
                          label(ranking.vm_name), label(here->name), here->score,
                          label(other->name), other->score));
}

Result<void> mayGo(const RankedHost& host, std::string_view vm_name) {
  for (const auto& exclusion : host.excluded)
    if (exclusion.why == Refusal::twice)
      return fail(Code::refused, fmt::format("{} is not moved to {}, which {}", label(vm_name),
                                             label(host.name), exclusion.words));
  return {};
}

}  // namespace virtseer::decide

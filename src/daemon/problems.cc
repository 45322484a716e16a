#include "daemon/problems.h"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <set>

#include "base/text.h"
#include "daemon/duplicates.h"

namespace virtseer::daemon {
namespace {

constexpr Millis kSilence = std::chrono::minutes(1);
constexpr Millis kToldFor = std::chrono::hours(24);

/// Whether it shows that what an older operation of the VM left to a person is seen to, or tells of
/// it in its place: an attempt that failed or was refused does not.
bool supersedes(const Operation& operation) {
  return !ended(operation.state) || operation.state == OperationState::done ||
         operation.state == OperationState::returned ||
         operation.state == OperationState::needs_person;
}

}  // namespace

std::vector<std::string> operationProblems(const std::vector<Operation>& operations,
                                           Timestamp now) {
  std::vector<std::string> out;
  std::set<Uuid> mended;
  for (const auto& operation : operations) {
    const bool uncertain = operation.state == OperationState::uncertain;
    const bool left = operation.state == OperationState::needs_person &&
                      !mended.contains(operation.vm) && now - operation.updated < kToldFor;
    const bool stands = operation.state == OperationState::settling && !operation.advice.empty();
    if (supersedes(operation)) mended.insert(operation.vm);
    if (!uncertain && !left && !stands) continue;
    out.push_back(fmt::format("{} {}: {}; 'virtseer operation {}' says what to do",
                              printable(operation.vm_name),
                              uncertain ? "may run at a host that is silent" : "needs a person",
                              printable(operation.message), printable(operation.id)));
  }
  return out;
}

std::vector<std::string> duplicateProblems(const std::vector<Duplicate>& duplicates) {
  std::vector<std::string> out;
  for (const auto& one : duplicates) out.push_back(sentence(one));
  return out;
}

std::vector<std::string> peerProblems(const std::vector<fleet::PeerState>& peers, const Uuid& self,
                                      Timestamp started, Timestamp now) {
  std::vector<std::string> out;
  std::map<Uuid, std::string> hosts{{self, "this host"}};
  for (const auto& peer : peers) {
    if (peer.host) {
      const auto [same, fresh] = hosts.try_emplace(*peer.host, printable(peer.name));
      if (!fresh)
        out.push_back(fmt::format("{} has the id of {}: 'virtseer doctor' says what to do",
                                  printable(peer.name), same->second));
    }
    const Millis silent = now - peer.heard.value_or(started);
    if (peer.answers || silent <= kSilence) continue;
    out.push_back(fmt::format(
        "the daemon of {} {}{}{}: see that it runs and that this host reaches it",
        printable(peer.name),
        peer.heard ? fmt::format("has been silent for {} min",
                                 std::chrono::floor<std::chrono::minutes>(silent).count())
                   : "was never heard",
        peer.error.empty() ? "" : ", ", printable(peer.error)));
  }
  return out;
}

}  // namespace virtseer::daemon

#include "model/operation.h"

#include <array>

namespace virtseer {
namespace {

constexpr std::array<std::string_view, 2> kKinds{"migration", "arrival"};
constexpr std::array<std::string_view, kOperationStates> kStates{
    "planned",  "checking",  "reserving",  "reserved",  "preparing",   "migrating",
    "settling", "verifying", "committing", "returning", "uncertain",   "done",
    "refused",  "aborted",   "failed",     "returned",  "needs_person"};
constexpr std::array<std::string_view, 3> kOrigins{"person", "plan", "returning"};
constexpr std::array<std::string_view, 5> kPresences{"absent", "off", "running", "paused",
                                                     "incoming"};
constexpr std::array<std::string_view, 4> kJobs{"none", "migration_out", "migration_in", "other"};

template <class Enum, std::size_t N>
std::optional<Enum> find(const std::array<std::string_view, N>& names, std::string_view text) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == text) return static_cast<Enum>(i);
  return std::nullopt;
}

}  // namespace

std::string_view name(OperationKind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}
std::optional<OperationKind> parseOperationKind(std::string_view text) {
  return find<OperationKind>(kKinds, text);
}

std::string_view name(OperationState state) {
  return kStates[static_cast<std::size_t>(state)];
}
std::optional<OperationState> parseOperationState(std::string_view text) {
  return find<OperationState>(kStates, text);
}
bool ended(OperationState state) {
  return state >= OperationState::done;
}

std::string_view name(OperationOrigin origin) {
  return kOrigins[static_cast<std::size_t>(origin)];
}
std::optional<OperationOrigin> parseOperationOrigin(std::string_view text) {
  return find<OperationOrigin>(kOrigins, text);
}

std::string_view name(Presence::State state) {
  return kPresences[static_cast<std::size_t>(state)];
}
std::optional<Presence::State> parsePresenceState(std::string_view text) {
  return find<Presence::State>(kPresences, text);
}
std::string_view name(Presence::Job job) {
  return kJobs[static_cast<std::size_t>(job)];
}
std::optional<Presence::Job> parsePresenceJob(std::string_view text) {
  return find<Presence::Job>(kJobs, text);
}

}  // namespace virtseer

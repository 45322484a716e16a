#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "virtseer/uuid.h"

namespace virtseer {

enum class Severity : std::uint8_t { info = 0, warning = 1, error = 2 };
std::string_view name(Severity severity);
std::optional<Severity> parseSeverity(std::string_view text);

/// Something that happened, kept for ever beside the VM or host that it happened to.
struct Event {
  std::uint64_t id = 0;  ///< rises with time; given by the store
  Timestamp time;
  Severity severity = Severity::info;
  std::string kind;  ///< dotted: vm.started, agent.connected, libvirt.lost, store.degraded
  std::optional<Uuid> entity;  ///< VM or host
  std::string message;         ///< for a person
  std::map<std::string, std::string> fields;

  bool operator==(const Event&) const = default;
};

/// Some of the events that were asked for, the newest first.
struct EventPage {
  std::vector<Event> events;
  /// Older ones, if there are any, have ids below this; absent: there are none. A page may be short
  /// or empty and have a next one all the same: a search is ended before it takes long.
  std::optional<std::uint64_t> next = std::nullopt;
};

}  // namespace virtseer

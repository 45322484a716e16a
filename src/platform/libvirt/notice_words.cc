#include <libvirt/libvirt.h>

#include <span>

#include "platform/libvirt/notices.h"

namespace virtseer::platform {

namespace {

// In the order of libvirt's enumerations (libvirt-domain.h), which never change.
constexpr std::string_view kEvents[] = {"defined",   "undefined",   "started",
                                        "suspended", "resumed",     "stopped",
                                        "shutdown",  "pmsuspended", "crashed"};
constexpr std::string_view kDefined[] = {"added", "updated", "renamed", "from_snapshot"};
constexpr std::string_view kUndefined[] = {"removed", "renamed"};
constexpr std::string_view kStarted[] = {"booted", "migrated", "restored", "from_snapshot",
                                         "wakeup"};
constexpr std::string_view kSuspended[] = {"paused",    "migrated", "ioerror",
                                           "watchdog",  "restored", "from_snapshot",
                                           "api_error", "postcopy", "postcopy_failed"};
constexpr std::string_view kResumed[] = {"unpaused", "migrated", "from_snapshot", "postcopy",
                                         "postcopy_failed"};
constexpr std::string_view kStopped[] = {"shutdown", "destroyed", "crashed",      "migrated",
                                         "saved",    "failed",    "from_snapshot"};
constexpr std::string_view kShutdown[] = {"finished", "guest", "host"};
constexpr std::string_view kPmSuspended[] = {"memory", "disk"};
constexpr std::string_view kCrashed[] = {"panicked", "crashloaded"};
constexpr std::span<const std::string_view> kReasons[] = {kDefined,   kUndefined,   kStarted,
                                                          kSuspended, kResumed,     kStopped,
                                                          kShutdown,  kPmSuspended, kCrashed};
constexpr std::string_view kJobs[] = {
    "unknown",  "start",           "save", "restore", "migration_in",   "migration_out",
    "snapshot", "snapshot_revert", "dump", "backup",  "snapshot_delete"};

std::string_view pick(std::span<const std::string_view> words, int index) {
  if (index < 0 || static_cast<std::size_t>(index) >= words.size()) return "unknown";
  return words[static_cast<std::size_t>(index)];
}

}  // namespace

std::string_view lifecycleWord(int event) {
  return pick(kEvents, event);
}

std::string_view lifecycleReason(int event, int detail) {
  if (event < 0 || static_cast<std::size_t>(event) >= std::size(kReasons)) return "unknown";
  return pick(kReasons[event], detail);
}

std::string_view jobWord(int operation) {
  return pick(kJobs, operation);
}

}  // namespace virtseer::platform

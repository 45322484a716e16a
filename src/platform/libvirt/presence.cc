#include <span>
#include <string_view>

#include "platform/libvirt/acts.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/job_figures.h"
#include "platform/libvirt/job_values.h"

namespace virtseer::platform {

namespace {

using State = Presence::State;
using Job = Presence::Job;

// In the order of libvirt's enumerations (libvirt-domain.h), which never change.
constexpr std::string_view kStates[] = {"no state",      "running", "blocked", "paused",
                                        "shutting down", "off",     "crashed", "pmsuspended"};
constexpr std::string_view kRunning[] = {"unknown",
                                         "booted",
                                         "migrated",
                                         "restored",
                                         "restored from snapshot",
                                         "unpaused",
                                         "migration canceled",
                                         "save canceled",
                                         "event wakeup",
                                         "crashed",
                                         "post-copy",
                                         "post-copy failed"};
constexpr std::string_view kPaused[] = {"unknown",       "user",
                                        "migration",     "save",
                                        "dump",          "I/O error",
                                        "watchdog",      "from snapshot",
                                        "shutting down", "snapshot",
                                        "crashed",       "starting up",
                                        "post-copy",     "post-copy failed"};
constexpr std::string_view kOff[] = {"unknown", "shutdown", "destroyed",     "crashed", "migrated",
                                     "saved",   "failed",   "from snapshot", "daemon"};
constexpr std::string_view kCrashed[] = {"unknown", "panicked"};

/// Off by what somebody did or asked for, in the guest or outside of it.
bool isAct(int reason) {
  switch (reason) {
    case VIR_DOMAIN_SHUTOFF_SHUTDOWN:
    case VIR_DOMAIN_SHUTOFF_DESTROYED:
    case VIR_DOMAIN_SHUTOFF_MIGRATED:
    case VIR_DOMAIN_SHUTOFF_SAVED:
    case VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT:
      return true;
    default:
      return false;
  }
}

bool isCrash(int reason) {
  return reason == VIR_DOMAIN_SHUTOFF_CRASHED || reason == VIR_DOMAIN_SHUTOFF_FAILED;
}

std::span<const std::string_view> reasonsOf(int state) {
  switch (state) {
    case VIR_DOMAIN_RUNNING:
      return kRunning;
    case VIR_DOMAIN_PAUSED:
      return kPaused;
    case VIR_DOMAIN_SHUTOFF:
      return kOff;
    case VIR_DOMAIN_CRASHED:
      return kCrashed;
    default:
      return {};
  }
}

State stateOf(int state) {
  switch (state) {
    case VIR_DOMAIN_SHUTOFF:
      return State::off;
    case VIR_DOMAIN_PAUSED:
    case VIR_DOMAIN_PMSUSPENDED:
    case VIR_DOMAIN_CRASHED:  // kept as it was when the guest panicked
      return State::paused;
    default:
      return State::running;
  }
}

Job jobOf(virDomainPtr domain) {
  const auto job = JobValues::get(domain);
  if (!job) {
    if (JobValues::refusedForIncoming()) return Job::migration_in;
    // A driver without jobs has none; a domain that cannot be asked is busy with something.
    return lastErrorIsUnsupported() ? Job::none : Job::other;
  }
  if (job->type == VIR_DOMAIN_JOB_NONE) return Job::none;
  switch (operationOf(job->values())) {
    case VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
      return Job::migration_out;
    case VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN:
      return Job::migration_in;
    default:
      return Job::other;
  }
}

}  // namespace

std::string stateWords(int state, int reason) {
  if (state < 0 || static_cast<std::size_t>(state) >= std::size(kStates)) return "unknown";
  std::string out(kStates[state]);
  const auto reasons = reasonsOf(state);
  if (reason > 0 && static_cast<std::size_t>(reason) < reasons.size())
    out.append(": ").append(reasons[static_cast<std::size_t>(reason)]);
  return out;
}

Presence presenceFrom(int state, int reason) {
  Presence out{.state = stateOf(state), .reason = stateWords(state, reason)};
  if (out.state == State::off) {
    out.crashed = isCrash(reason);
    out.unexplained = !out.crashed && !isAct(reason);
  }
  return out;
}

Result<Presence> presenceOf(const Connection& connection, const Uuid& vm) {
  const auto domain = findDomain(connection, vm);
  if (!domain) {
    if (domain.error().code == Code::not_found) return Presence{};
    return fail(domain.error());
  }
  Job job = Job::none;
  int state = 0;
  int reason = 0;
  const auto ask = [&] { return virDomainGetState(domain->get(), &state, &reason, 0) == 0; };
  bool asked = ask();
  if (asked && stateOf(state) != State::off) {
    job = jobOf(domain->get());
    asked = ask();  // what has ended meanwhile has no job
  }
  const int persistent = virDomainIsPersistent(domain->get());
  if (!asked || persistent < 0) {
    auto error = lastError("VM " + vm.text(), connection.get());
    if (error.code == Code::not_found) return Presence{};
    return fail(std::move(error));
  }
  auto out = presenceFrom(state, reason);
  out.defined = persistent == 1;
  if (out.state != State::off) out.job = job;
  if (out.state == State::paused && out.job == Job::migration_in) out.state = State::incoming;
  return out;
}

}  // namespace virtseer::platform

#include "platform/libvirt/guest_facts.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>

#include "platform/libvirt/bulk.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/guest_answers.h"
#include "platform/libvirt/text_ptr.h"

namespace virtseer::platform {

namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;

/// Once a guest has taken so long no further question is put to it.
constexpr std::chrono::seconds kPatience{10};

GuestAnswer silence(std::string why) {
  return {std::nullopt, std::move(why)};
}

/// The last error as the guest's silence, if the guest is at fault, or as the failure to ask it.
Result<GuestAnswer> unanswered(const Connection& connection, bool guests_fault) {
  auto error = lastError("qemu-guest-agent", connection.get());
  if (guests_fault && error.code == Code::failed) return silence(std::move(error.message));
  return fail(std::move(error));
}

/// Half of the time that the question took is the error of what it brought.
bool takeClock(std::string_view answer, system_clock::time_point asked, steady_clock::duration took,
               GuestFacts& into) {
  const auto told = guestTime(answer);
  if (!told) return false;
  const auto here = std::chrono::duration_cast<Millis>((asked + took / 2).time_since_epoch());
  into.clock_offset = std::chrono::duration_cast<Millis>(*told) - here;
  into.clock_error = std::chrono::duration_cast<Millis>(took / 2) + Millis(1);
  return true;
}

}  // namespace

AgentError agentError(int libvirt_code) {
  switch (libvirt_code) {
    case VIR_ERR_AGENT_UNRESPONSIVE:
    case VIR_ERR_AGENT_UNSYNCED:
#if LIBVIR_CHECK_VERSION(11, 2, 0)
    case VIR_ERR_AGENT_COMMAND_TIMEOUT:
#endif
      return AgentError::silent;
    case VIR_ERR_OPERATION_INVALID:  // the VM does not run
    case VIR_ERR_OPERATION_TIMEOUT:  // somebody else holds the agent
      return AgentError::not_asked;
    default:
      return AgentError::command;
  }
}

Result<GuestAnswer> guestFactsOf(const Connection& connection, const Uuid& vm,
                                 std::chrono::seconds within) {
  const auto domain = findDomain(connection, vm);
  if (!domain) return fail(domain.error());
  GuestFacts out;
  bool answered = false, understood = false;
  const auto begun = steady_clock::now();
  for (const auto question : kGuestQuestions) {
    const auto asked = system_clock::now();
    const auto before = steady_clock::now();
    if (before - begun > kPatience) return silence("qemu-guest-agent: it answers too slowly");
    // Not virDomainGetGuestInfo(): that waits for ever unless virDomainAgentSetResponseTimeout()
    // is called, which holds for everybody who asks this agent, a backup that freezes its file
    // systems among them.
    const Text answer(virDomainQemuAgentCommand(domain->get(), commandOf(question),
                                                static_cast<int>(within.count()), 0));
    if (!answer) {
      const auto error = agentError(virGetLastErrorCode());
      if (error == AgentError::command) continue;
      return unanswered(connection, error == AgentError::silent);
    }
    answered = true;
    understood |= question == GuestQuestion::time
                      ? takeClock(answer.get(), asked, steady_clock::now() - before, out)
                      : takeGuestAnswer(question, answer.get(), out);
  }
  if (!answered) return unanswered(connection, true);
  if (!understood) return silence("qemu-guest-agent: nothing it says is understood");
  return GuestAnswer{std::move(out), ""};
}

Result<void> beginDirtyRate(const Connection& connection, const Uuid& vm,
                            std::chrono::seconds span) {
  const auto domain = findDomain(connection, vm);
  if (!domain) return fail(domain.error());
  if (virDomainStartDirtyRateCalc(domain->get(), static_cast<int>(span.count()),
                                  VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING) < 0)
    return fail(lastError("measure how fast it writes its memory", connection.get()));
  return {};
}

Result<std::optional<double>> dirtyRateOf(const Connection& connection, const Uuid& vm) {
  const auto domain = findDomain(connection, vm);
  if (!domain) return fail(domain.error());
  const auto bulk = BulkStatistics::of(connection, domain->get(), VIR_DOMAIN_STATS_DIRTYRATE);
  if (!bulk) return fail(bulk.error());
  for (const auto* record : bulk->records()) {
    const auto fields = fieldsOf(*record);
    const double* status = findField(fields, "dirtyrate.calc_status");
    const double* rate = findField(fields, "dirtyrate.megabytes_per_second");
    constexpr double kMebibyte = 1024 * 1024;  // QEMU shifts bytes by 20 (migration/dirtyrate.c)
    if (status && rate && static_cast<int>(*status) == VIR_DOMAIN_DIRTYRATE_MEASURED && *rate >= 0)
      return *rate * kMebibyte;
  }
  return std::optional<double>();
}

}  // namespace virtseer::platform

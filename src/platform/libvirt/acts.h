#pragma once

#include <string>

#include "platform/actions.h"
#include "platform/libvirt/connection.h"

namespace virtseer::platform {

// What platform::Actions promises of one VM, as calls that block, for the pools' threads. See
// platform/actions.h.

Result<Presence> presenceOf(const Connection& connection, const Uuid& vm);
Result<VmDefinition> definitionOf(const Connection& connection, const Uuid& vm);
Result<MigrationProgress> jobProgress(const Connection& connection, const Uuid& vm);
Result<void> abortJobOf(const Connection& connection, const Uuid& vm);

/// Returns when libvirt does; without what libvirt measured.
Result<void> moveAway(const Connection& connection, const MigrateOrder& order);

Result<void> setAutostartOf(const Connection& connection, const Uuid& vm, bool on);
Result<void> removeManagedSaveOf(const Connection& connection, const Uuid& vm);
Result<void> suspendVm(const Connection& connection, const Uuid& vm);
Result<void> resumeVm(const Connection& connection, const Uuid& vm);
Result<void> startVm(const Connection& connection, const Uuid& vm, const std::string& xml);
Result<void> destroyVm(const Connection& connection, const Uuid& vm);
Result<void> defineVm(const Connection& connection, const std::string& xml);
Result<void> undefineVm(const Connection& connection, const Uuid& vm);

Result<EnrollFacts> enrollFactsOf(const Connection& connection, const Uuid& vm);
Result<void> setEchoChannelOf(const Connection& connection, const Uuid& vm, bool present,
                              Affects where);
Result<void> setBalloonPeriodOf(const Connection& connection, const Uuid& vm,
                                std::chrono::seconds period, Affects where);

/// What libvirt's numbers for a domain's state and its reason say by themselves.
Presence presenceFrom(int state, int reason);

/// libvirt's words for a domain's state and its reason: "paused: migration".
std::string stateWords(int state, int reason);

}  // namespace virtseer::platform

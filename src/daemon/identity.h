#pragma once

#include "base/result.h"
#include "model/machine.h"
#include "platform/environment.h"
#include "store/event_log.h"

namespace virtseer::daemon {

/// Who this host is. libvirt's host UUID counts; what it said last is remembered in the settings,
/// so that a start without libvirt continues the same series; before the first time it is the
/// machine's id (machine-id(5)).
Host hostIdentity(const store::Settings& settings, const std::string& configured_name);

/// Takes over what libvirt says; true if the UUID changed.
bool adopt(Host& host, const platform::HostFacts& facts, store::Settings& settings,
           const std::string& configured_name);

}  // namespace virtseer::daemon

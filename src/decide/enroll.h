#pragma once

#include <string>
#include <vector>

#include "model/enroll.h"
#include "model/machine.h"

namespace virtseer::decide {

/// What enrolling a VM, or taking that back, would do, and what stands against it. What is there
/// already is a step that is done. A VM that runs is changed while it runs and in its definition;
/// one that is off in its definition, a transient one as it runs.
EnrollPlan enrollPlan(const EnrollFacts& facts, const EnrollWish& wish);

/// What is left to do in the guest, one thing a line. `token_file`: on the host; empty: none is
/// made yet.
std::vector<std::string> guestWords(const EnrollWish& wish, const std::string& token_file);

/// The command that gives the VM back the channel and the token that it had before `wish`, neither
/// more nor less; empty: none does. `token`: it had one.
std::string undoCommand(const EnrollFacts& facts, const EnrollWish& wish, bool token);

/// The command that enrolls the VM: a container by TLS, anything else by its channel.
std::string enrollCommand(const Vm& vm);
/// A container of libvirt's LXC driver: it has no virtio devices.
bool isContainer(const Vm& vm);

}  // namespace virtseer::decide

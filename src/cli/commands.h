#pragma once

#include <string>

#include "base/time.h"
#include "cli/client.h"
#include "cli/columns.h"
#include "cli/invocation.h"
#include "cli/outcome.h"

namespace virtseer::cli {

/// The request a command that asks the daemon makes. For series the VM's; see hostSeries().
Request requestOf(const Command& command);

/// The same question about a host of that name.
Request hostSeries(const ShowSeries& command);

/// Runs a command that asks the daemon once. As json the reply's body comes out untouched, failures
/// included. `room`: the columns of the terminal, which tables keep to if they can.
Outcome ask(const Command& command, Output output, const Transport& transport, Timestamp now,
            std::size_t room = kNoLimit);

/// Enrolls a VM and reads its guest's token from the file that the daemon names, which only root
/// and the daemon can read: no answer of the daemon ever holds it. On a terminal only.
Outcome enrollAndShowToken(const EnrollVm& command, const Transport& transport, Timestamp now,
                           bool terminal, std::size_t room = kNoLimit);

Outcome checkConfig(const CheckConfig& command, Output output);
Outcome showConfig(const ShowConfig& command, Output output);

/// Blocks for as long as apt and the packing take; says what it does on standard error as it goes.
Outcome buildAppliance(const BuildAppliance& command, Output output);

}  // namespace virtseer::cli

#pragma once

#include <functional>
#include <string_view>

#include "base/time.h"
#include "cli/columns.h"
#include "cli/outcome.h"

namespace virtseer::cli {

/// How one waits: its clock, its pauses, and standard error while it goes on.
struct Waiting {
  const Clock& clock;
  std::function<void(Millis)> pause;
  std::function<void(std::string_view)> say;
  bool terminal = false;           ///< what is said may be drawn over
  std::size_t columns = kNoLimit;  ///< of that terminal
};

/// Begins a move and follows it to its end, or for as long as the command says. A daemon that does
/// not answer for a while (it may be starting anew) is asked again for a minute. The exit code is
/// that of the operation's end; at the deadline 7 if nobody knows where the VM is, else 1.
Outcome migrateAndFollow(const MigrateVm& command, Output output, const Transport& transport,
                         const Waiting& waiting, std::size_t room = kNoLimit);

}  // namespace virtseer::cli

#pragma once

namespace virtseer::api {

/// What the commands of `virtseer` return to the shell; part of the documented interface.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,         ///< wrong usage or a faulty configuration; nothing was started
  kNotReachable = 3,  ///< no daemon answers
  kRefused = 4,       ///< by policy or pre-flight
  kNothingToDo = 5,
  kFailedVmSafe = 6,  ///< an operation failed and the VM is safe
  kNeedsPerson = 7,   ///< a VM needs a person
};

}  // namespace virtseer::api

#pragma once

#include <string>

#include "base/result.h"
#include "cli/client.h"
#include "cli/invocation.h"

namespace virtseer::cli {

/// What a command leaves behind: its exit code and what it prints.
struct Outcome {
  int exit_code = 0;
  std::string out, err;
};

/// The exit code for an HTTP status.
int exitCodeOf(unsigned status);

/// No answer came.
Outcome unanswered(const Error& error);

/// The daemon answered with a problem document; as json it comes out untouched.
Outcome refusedBy(const Reply& reply, Output output);

/// The answer came and makes no sense.
Outcome nonsense(const Error& error);

}  // namespace virtseer::cli

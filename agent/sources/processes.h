#pragma once

#include "agent/source.h"
#include "agent/sources/process_files.h"

namespace virtseer::agent {

/// As makeProcessesSource(), with a clock of one's own beside the files.
SourcePointer makeProcessesSource(ProcessClock clock);

}  // namespace virtseer::agent

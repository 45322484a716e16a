#pragma once

#include <optional>
#include <span>
#include <string>

#include "model/series.h"

namespace virtseer::collect {

/// The columns that the daemon fills itself, from what the session says: the run of the agent and
/// the number of the echo. An agent may name them too; what it puts into them is not looked at.
extern const SeriesName kEpochColumn;
extern const SeriesName kSequenceColumn;

/// Why an agent may not name a column so, or nothing if it may. Its names and
/// labels are those of echo::isAgentMetric and echo::isAgentLabel.
std::optional<std::string> refusal(const SeriesName& name);

/// Why `further` cannot follow as columns `first`, `first + 1`, ... after `known`, or nothing.
/// Columns that are known already may be named again, but not renamed; no name may occur twice.
std::optional<std::string> refusal(std::span<const SeriesName> known, std::size_t first,
                                   std::span<const SeriesName> further);

}  // namespace virtseer::collect

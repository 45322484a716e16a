#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/source.h"

namespace virtseer::agent {

/// Runs the sources round by round.
class Sampler {
 public:
  /// Opens every source below `root`; one that cannot be opened is off, with its reason.
  Sampler(const std::string& root, std::vector<SourcePointer> sources);

  /// Runs only the sources of these names from now on; nothing selects them all.
  void select(const std::optional<std::vector<std::string>>& names);

  /// Reads every source that is on. The values belong to `columns` and live until the next round.
  std::span<double> read(Columns& columns);

  /// Source -> "on", or why it is off.
  std::map<std::string, std::string> states() const;

 private:
  struct Entry {
    SourcePointer source;
    std::string reason;  ///< why it could not be opened, or empty
    bool selected = true;
  };

  std::vector<Entry> entries_;
  Row row_;
  Scratch scratch_;
};

}  // namespace virtseer::agent

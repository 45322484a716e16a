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

  /// How many rows the tables of the sources should have at most.
  void setTop(std::size_t top);

  /// Reads every source that is on. The values belong to `columns`, and live like `report()` until
  /// the next round. `echoes_kept`: those that the host has not stored yet.
  std::span<double> read(Columns& columns, std::int64_t now_ms, std::size_t echoes_kept = 0);
  const echo::Report& report() const { return report_.report(); }

  /// Source -> "on", or why it is off, or "in part: " and why.
  std::map<std::string, std::string> states() const;

  /// Has `clock`, in microseconds, read around every source from now on.
  void measure(double (*clock)()) { clock_ = clock; }
  /// Source -> the microseconds that its rounds took since `measure`.
  std::map<std::string, double> costs() const;

  /// An epoll instance of the sources' own descriptors: readable when `attend` should be called.
  int eventFd() const { return events_.get(); }
  /// Lets the sources take what waits. Never blocks.
  void attend();

 private:
  void watch(std::size_t entry);
  struct Entry {
    SourcePointer source;
    std::string reason;  ///< why it could not be opened, or empty
    bool selected = true;
    double cost_us = 0;
  };

  std::vector<Entry> entries_;
  Row row_;
  Scratch scratch_;
  ReportBuilder report_;
  Descriptor events_;
  double (*clock_)() = nullptr;
};

}  // namespace virtseer::agent

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/event.h"
#include "model/machine.h"
#include "model/series.h"
#include "virtseer/echo/report.h"
#include "virtseer/echo/wire.h"

/// What a guest tells, as the API shows it.
namespace virtseer::api {

struct EchoValue {
  SeriesName name;
  Timestamp time;
  double value = kMissing;
  std::optional<double> rate_per_second;  ///< of a counter, between its last two values
};

/// A table, and when the guest told it.
struct TableView {
  Timestamp time;
  echo::Table table;
};

/// Everything that a guest told last.
struct EchoView {
  Uuid vm;
  std::string vm_name;
  std::optional<Timestamp> time;  ///< of the last row; nothing was ever told without one
  AgentLink agent;
  std::vector<EchoValue> values;
  std::vector<TableView> tables;  ///< by name
  std::vector<Event> happenings;  ///< the newest first
};

/// A table of one VM.
struct VmTable {
  Uuid vm;
  std::string vm_name;
  TableView view;
};

/// What a VM's agent is told to collect.
struct CollectionView {
  Uuid vm;
  std::string vm_name;
  echo::Settings in_force;  ///< says all three; collectors "all": whatever there are
  echo::Settings own;       ///< what was said of this VM alone
  bool connected = false;   ///< its agent is, and so was told at once
};

/// Changes of what is said of a VM alone: outer absent leaves it, inner absent takes it back.
struct CollectionChange {
  std::optional<std::optional<std::uint32_t>> interval_ms, top_processes;
  std::optional<std::optional<std::vector<std::string>>> collectors;
};

}  // namespace virtseer::api

#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "store/table_log.h"

namespace virtseer::daemon {

/// What guests told last in each of their tables, and which of that is to be stored: of each table
/// the first of every minute. Bounded by VM, however hostile. Loop thread only.
class GuestTables {
 public:
  /// Of one VM; beyond it the tables told longest ago go. The cells include the columns' names.
  static constexpr std::size_t kMaxTables = echo::kMaxTables;
  static constexpr std::size_t kMaxCells = 16 * 1024;

  using Latest = std::map<std::string, store::KeptTable>;
  using Append = std::function<void(Uuid vm, Timestamp time, std::vector<echo::Table> tables)>;

  /// `append`: stores tables.
  explicit GuestTables(Append append) : append_(std::move(append)) {}

  void take(Uuid vm, Timestamp time, std::vector<echo::Table> tables);

  /// By name; what was told since the daemon started, and what was recalled.
  const Latest& latest(Uuid vm) const;

  /// Whether recall() was called for the VM; until then latest() may lack what is stored.
  bool recalled(Uuid vm) const;
  /// What the store holds of the VM: taken where nothing newer is known.
  void recall(Uuid vm, std::vector<store::KeptTable> tables);

  /// Forgets all VMs but these.
  void keepOnly(const std::set<Uuid>& vms);
  /// Another store serves: it has nothing of the current minute, and maybe more of the past.
  void storeSwapped();

 private:
  struct Guest {
    Latest latest;
    std::map<std::string, std::int64_t> stored;  ///< the minute of each table's last stored one
    bool recalled = false;
  };
  static void bound(Guest& guest);

  Append append_;
  std::map<Uuid, Guest> guests_;
};

}  // namespace virtseer::daemon

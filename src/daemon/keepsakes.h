#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/host_state.h"
#include "store/event_log.h"

namespace virtseer::daemon {

/// What people switched and what VMs went through, kept in the store's settings so that it outlives
/// the daemon. Loop thread. Values that cannot be read count as absent.
class Keepsakes {
 public:
  /// To be called when a store serves, and again when another one does: it takes over what was said
  /// and moved since the start. Moves that ended over two days before `now` are forgotten.
  void use(store::Settings& settings, Timestamp now);

  /// Since when this host is in maintenance; absent: it is not.
  std::optional<Timestamp> maintenance() const;
  void setMaintenance(bool on, Timestamp now);

  /// Whether virtseer may act by itself, as a person said last; absent: nobody ever said.
  struct Automation {
    bool on = true;
    Timestamp since;

    bool operator==(const Automation&) const = default;
  };
  std::optional<Automation> automation() const;
  void setAutomation(bool on, Timestamp now);

  /// Moves of a VM, oldest first, the last 16.
  std::vector<PastMove> moves(const Uuid& vm) const;
  void addMove(const Uuid& vm, PastMove move);
  /// Moves that come with a VM from another host, beside those that are known here.
  void adoptMoves(const Uuid& vm, const std::vector<PastMove>& moves);

 private:
  void put(const Uuid& vm, std::vector<PastMove> moves);
  void say(const std::string& key, std::optional<std::string> value);
  void forgetOld(Timestamp now);

  store::Settings* settings_ = nullptr;
  std::map<std::string, std::optional<std::string>> said_;  ///< since the start; absent: erased
  std::deque<std::pair<Uuid, PastMove>> moved_;             ///< since the start, bounded
};

}  // namespace virtseer::daemon

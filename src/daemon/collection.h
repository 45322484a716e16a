#pragma once

#include <map>
#include <set>
#include <string>

#include "store/event_log.h"
#include "virtseer/echo/wire.h"
#include "virtseer/uuid.h"

namespace virtseer::daemon {

/// How often and what each VM's agent collects: what the configuration says of all, and over that
/// what a person said of one, which is kept in the store. Loop thread only.
class Collection {
 public:
  /// `defaults` says all three; no collectors at all mean all.
  explicit Collection(echo::Settings defaults);

  /// Reads what earlier runs were told, and keeps there what is said from now on. To be called
  /// again when another store serves: what was said meanwhile is said to it too.
  void remember(store::Settings& settings);

  /// What was said of this VM alone.
  echo::Settings own(Uuid vm) const;
  void set(Uuid vm, const echo::Settings& own);

  /// What its agent is to be told: says all three.
  echo::Settings inForce(Uuid vm) const;

 private:
  void keep(Uuid vm);

  const echo::Settings defaults_;
  store::Settings* settings_ = nullptr;
  std::map<Uuid, echo::Settings> own_;
  std::set<Uuid> said_;  ///< since the start
};

}  // namespace virtseer::daemon

#pragma once

#include "act/journal.h"
#include "daemon/store_keeper.h"

namespace virtseer::daemon {

/// Operations in the store's settings, under `operation/KIND/ID`. Loop thread.
class OperationJournal final : public act::Journal {
 public:
  explicit OperationJournal(StoreKeeper& store) : store_(store) {}

  boost::asio::awaitable<Result<void>> write(Operation operation) override;
  void forget(const Operation& operation) override;
  /// What cannot be read is left where it is and logged.
  std::vector<Operation> all() override;

 private:
  StoreKeeper& store_;
};

}  // namespace virtseer::daemon

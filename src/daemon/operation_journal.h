#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "act/journal.h"
#include "daemon/store_keeper.h"

namespace virtseer::daemon {

/// Operations in the store's settings, under `operation/KIND/ID`. What write() failed to put on the
/// disk is not there later either: the former state stands. Loop thread.
class OperationJournal final : public act::Journal {
 public:
  /// `unreadable` is told the key and the fault of what all() could not read.
  OperationJournal(StoreKeeper& store,
                   std::function<void(const std::string& key, const std::string& fault)> unreadable)
      : store_(store), unreadable_(std::move(unreadable)) {}

  boost::asio::awaitable<Result<void>> write(Operation operation) override;
  void forget(const Operation& operation) override;
  /// What cannot be read is left where it is, and told.
  std::vector<Operation> all() override;

 private:
  void takeBack(const std::string& key, const std::string& text, std::optional<std::string> before);

  StoreKeeper& store_;
  std::function<void(const std::string&, const std::string&)> unreadable_;
};

}  // namespace virtseer::daemon

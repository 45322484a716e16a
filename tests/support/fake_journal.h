#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "act/journal.h"

namespace virtseer::test {

/// A journal in memory that outlives the daemon under test.
class FakeJournal final : public act::Journal {
 public:
  boost::asio::awaitable<Result<void>> write(Operation operation) override {
    if (before_write) before_write(operation);
    if (failure) co_return fail(*failure);
    history.push_back(operation);
    const auto state = operation.state;
    kept[operation.id] = std::move(operation);
    if (after_write) co_await after_write(state);
    co_return Result<void>{};
  }
  void forget(const Operation& operation) override { kept.erase(operation.id); }
  std::vector<Operation> all() override {
    std::vector<Operation> out;
    for (const auto& [id, operation] : kept) out.push_back(operation);
    return out;
  }

  std::optional<Error> failure;  ///< what every write says while it is set
  std::function<void(const Operation&)> before_write;
  /// May keep the writer waiting once the write has been done.
  std::function<boost::asio::awaitable<void>(OperationState)> after_write;
  std::map<std::string, Operation> kept;
  std::vector<Operation> history;  ///< every write that came, oldest first
};

}  // namespace virtseer::test

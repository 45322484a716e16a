#pragma once

#include <map>
#include <optional>
#include <string>

#include "act/tokens.h"

namespace virtseer::test {

/// Tokens in memory, which can fail.
class FakeTokens final : public act::Tokens {
 public:
  template <class T>
  using Answer = boost::asio::awaitable<Result<T>>;

  std::map<Uuid, std::string> tokens;
  std::optional<Error> read_fails, keep_fails, drop_fails;

  std::string of(const Uuid& vm) const {
    const auto found = tokens.find(vm);
    return found == tokens.end() ? "" : found->second;
  }

  Answer<std::optional<std::string>> read(Uuid vm) override {
    if (read_fails) co_return fail(*read_fails);
    co_return tokens.contains(vm) ? std::optional(tokens.at(vm)) : std::nullopt;
  }
  Answer<void> keep(Uuid vm, std::string token) override {
    if (keep_fails) co_return fail(*keep_fails);
    tokens[vm] = std::move(token);
    co_return Result<void>{};
  }
  Answer<void> drop(Uuid vm) override {
    if (drop_fails) co_return fail(*drop_fails);
    tokens.erase(vm);
    co_return Result<void>{};
  }
};

}  // namespace virtseer::test

#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "act/enroll.h"
#include "act/tokens.h"
#include "base/result.h"
#include "virtseer/uuid.h"

namespace virtseer::daemon {

/// The tokens by which guests prove who they are over vsock and TLS: 256 random bits in hex, one
/// file `UUID.token` per VM with mode 0600 in a folder with mode 0700. All of it blocks for as long
/// as a file system takes.
class AgentTokens {
 public:
  explicit AgentTokens(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path file(const Uuid& vm) const;
  /// Whether anything is there by the name of one.
  bool there(const Uuid& vm) const;
  /// Whether there is one that the listener takes (collect::readAgentToken()).
  Result<bool> usable(const Uuid& vm) const;
  /// Makes one and writes it through to the disk, unless there is one that is usable; what else is
  /// there is replaced, and no link followed. Whether there was one.
  Result<bool> make(const Uuid& vm) const;
  /// The one that is there, if the listener takes it; as collect::readAgentToken().
  Result<std::string> read(const Uuid& vm) const;
  /// Writes one that came with its VM through to the disk, in place of what is there. invalid: it
  /// is none.
  Result<void> keep(const Uuid& vm, std::string_view token) const;
  /// Takes away what is there, usable or not. Whether there was anything.
  Result<bool> drop(const Uuid& vm) const;
  /// As enrolling names them.
  Result<bool> act(const Uuid& vm, act::TokenAct what) const;

 private:
  Result<void> write(const Uuid& vm, std::string_view token) const;

  std::filesystem::path folder_;
};

/// The same off the loop, as acting asks for them.
class TokensOffLoop final : public act::Tokens {
 public:
  using Run = std::function<boost::asio::awaitable<Result<bool>>(std::function<Result<bool>()>)>;

  /// `run`: runs a job that blocks, and answers what it does.
  TokensOffLoop(AgentTokens tokens, Run run) : tokens_(std::move(tokens)), run_(std::move(run)) {}

  boost::asio::awaitable<Result<std::optional<std::string>>> read(Uuid vm) override;
  boost::asio::awaitable<Result<void>> keep(Uuid vm, std::string token) override;
  boost::asio::awaitable<Result<void>> drop(Uuid vm) override;

 private:
  AgentTokens tokens_;
  Run run_;
};

}  // namespace virtseer::daemon

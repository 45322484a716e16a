#pragma once

#include <filesystem>
#include <string>

#include "act/enroll.h"
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
  /// Takes away what is there, usable or not. Whether there was anything.
  Result<bool> drop(const Uuid& vm) const;
  /// As enrolling names them.
  Result<bool> act(const Uuid& vm, act::TokenAct what) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace virtseer::daemon

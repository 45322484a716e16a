#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "virtseer/uuid.h"

namespace virtseer::act {

/// The tokens by which agents prove who they are over vsock and TLS, as this host keeps them. Loop
/// thread; a call takes as long as the file system, up to a few seconds.
class Tokens {
 public:
  virtual ~Tokens() = default;
  /// None: the VM has none. An error: it has one that cannot be read, or is none.
  virtual boost::asio::awaitable<Result<std::optional<std::string>>> read(Uuid vm) = 0;
  /// Keeps one that came with its VM in place of what is here. invalid: it is none.
  virtual boost::asio::awaitable<Result<void>> keep(Uuid vm, std::string token) = 0;
  /// Deletes what is here, if anything is.
  virtual boost::asio::awaitable<Result<void>> drop(Uuid vm) = 0;
};

}  // namespace virtseer::act

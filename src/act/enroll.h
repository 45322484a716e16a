#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "act/pause.h"
#include "base/result.h"
#include "base/time.h"
#include "model/enroll.h"
#include "model/event.h"
#include "platform/actions.h"

namespace virtseer::act {

/// What is done with the token by which a guest proves who it is over vsock or TLS.
enum class TokenAct : std::uint8_t {
  usable,  ///< looks whether a guest can prove itself by it
  there,   ///< looks whether anything is there that drop would take away
  make,
  drop,
};

struct EnrollContext {
  const Clock& clock;
  /// Whether the VM had a token before. `make` leaves one that is usable as it is.
  std::function<boost::asio::awaitable<Result<bool>>(Uuid vm, TokenAct act)> token;
  std::function<std::string(Uuid vm)> token_file;
  std::function<void(Event)> report;
  /// What of virtseer's own is under way with the VM, in words; empty: nothing. Not set: never.
  std::function<std::string(Uuid vm)> operation = nullptr;
  Pause pause = timerPause;
};

struct EnrollOrder {
  Uuid vm;
  EnrollWish wish;
  bool dry_run = false;
};

/// Gives a VM what its guest needs to be heard, or takes it back: the echo channel in the running
/// VM and its definition, the balloon's statistics, a token. It is looked at before and after. A
/// dry run changes nothing, and its report says whether it fits; otherwise what does not fit fails
/// with refused, and nothing was changed. Asking twice does no harm. What was done, or failed after
/// it was begun, is an event. `actions` outlives the call; no operation may begin with the VM while
/// it lasts.
boost::asio::awaitable<Result<EnrollReport>> enroll(platform::Actions& actions, EnrollOrder order,
                                                    EnrollContext context);

}  // namespace virtseer::act

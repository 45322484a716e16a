#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/pool.h"
#include "base/task_group.h"
#include "base/time.h"
#include "collect/accepted_socket.h"
#include "collect/agent_doors.h"
#include "collect/caller_limits.h"
#include "collect/row_sink.h"
#include "virtseer/echo/wire.h"

namespace virtseer::collect {

struct AgentListenerOptions {
  std::string tls;  ///< "ADDRESS:PORT"; empty: no TLS
  std::filesystem::path certificate, key;
  std::uint32_t vsock_port = 0;  ///< 0: no vsock
  std::filesystem::path tokens;  ///< folder of files UUID.token
  CallerLimits::Options limits = {};
  Millis login_deadline{10'000};  ///< for the handshake and the login together
  Millis renewal{3'600'000};      ///< how often certificate and key are read again
  Millis vsock_retry{30'000};     ///< how often a vsock port that cannot be had is tried
};

/// What became of calls, since the start.
struct CallCounts {
  std::uint64_t clients = 0;      ///< now
  std::uint64_t accepted = 0;     ///< gave the right token and were handed on
  std::uint64_t denied = 0;       ///< gave a wrong token or no such VM
  std::uint64_t turned_away = 0;  ///< by a bound, before a byte was read
  std::uint64_t failed = 0;       ///< no TLS, no login, too late, or not wanted now
};

/// Lets agents in that call over TLS or vsock: each gives its VM's UUID and token first, in a
/// bounded time, and becomes a channel of that VM then. Clients, those before their login above
/// all, and what is kept for each are bounded (caller_limits.h); who guesses, or calls without
/// pause, is turned away at once for a while. Events reported: agent.denied.
///
/// Loop thread only. To be stopped before what the callbacks use is gone.
class AgentListener {
 public:
  struct Callbacks {
    /// Takes a channel over, or says why not. AgentLinks::offer.
    std::function<Result<void>(Uuid vm, std::unique_ptr<platform::Channel> channel,
                               std::string address)>
        offer;
    EventSink report;
    /// True while a VM's token may still follow it here: its agent does no wrong by calling before.
    /// Not set: none comes.
    std::function<bool(Uuid vm)> awaits_token = nullptr;
  };

  AgentListener(boost::asio::any_io_executor loop, const Clock& clock, AgentListenerOptions options,
                Callbacks callbacks);
  ~AgentListener();

  /// Opens what the options name, and lets callers in from then on. Reads certificate and key here.
  /// A vsock port that cannot be had is no failure: the kernel's module may be loaded later.
  Result<void> start();
  /// What cannot be listened on now, each a sentence that says what to do.
  std::vector<std::string> faults() const;
  /// Lets callers in through a door of the caller's making.
  void admit(AgentDoor door);
  /// Closes the doors and whoever has not logged in; channels that were handed on stay.
  boost::asio::awaitable<void> stop();

  CallCounts counts() const;

 private:
  struct Ticket;
  struct Origin {
    std::string address;     ///< for a person
    std::string counted_by;  ///< CallerLimits::origin()
  };

  boost::asio::awaitable<void> accept(std::shared_ptr<AgentDoor> door);
  boost::asio::awaitable<void> receive(AgentDoor::Kind kind, Descriptor fd, Origin origin);
  // What is referred to is of receive(), which awaits these.
  boost::asio::awaitable<Result<echo::Login>> greet(AcceptedSocket& socket);
  /// Gives the VM whose token it is.
  boost::asio::awaitable<Result<Uuid>> check(const Origin& origin, echo::Login login);
  boost::asio::awaitable<void> renew();
  bool openVsock();
  boost::asio::awaitable<void> awaitVsock();
  void offend(const Origin& origin);
  void deny(const Origin& origin, std::optional<Uuid> vm, const std::string& what);

  boost::asio::any_io_executor loop_;
  const Clock& clock_;
  const AgentListenerOptions options_;
  const Callbacks callbacks_;
  std::shared_ptr<CallerLimits> limits_;  ///< channels that were handed on hold it too
  std::shared_ptr<const TlsIdentity> identity_;
  std::map<std::string, std::chrono::steady_clock::time_point> told_;  ///< denials, by origin
  CallCounts counts_;
  std::string
      vsock_fault_;  ///< why nobody can call by vsock; empty: anybody can, or it is not wanted
  BlockingPool files_;
  TaskGroup tasks_;
};

}  // namespace virtseer::collect

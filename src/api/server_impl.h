#pragma once

#include <fmt/format.h>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <random>
#include <set>

#include "api/admission.h"
#include "api/listen.h"
#include "api/places.h"
#include "api/refusals.h"
#include "api/request_head.h"
#include "api/router.h"
#include "api/server.h"
#include "base/log.h"
#include "base/task_group.h"

namespace virtseer::api {

namespace asio = boost::asio;
using boost::system::error_code;
using Mono = std::chrono::steady_clock;
/// One type for both kinds of connection, so that all below is compiled once.
using Socket = asio::generic::stream_protocol::socket;

/// Listeners, connections and their deadlines (server.cc), and what happens on a connection
/// (server_sessions.cc).
class Server::Impl {
 public:
  Impl(asio::any_io_executor loop, Backend& backend, Decisions& decisions, const Clock& clock,
       ServerOptions options)
      : loop_(loop),
        api_{backend, decisions, clock},
        options_(std::move(options)),
        rules_{options_.token, options_.allowed_hosts},
        listeners_(loop, logFailure),
        sessions_(loop, logFailure),
        sweeper_(loop),
        places_(options_.max_connections, !options_.socket.empty()) {
    for (auto& name : systemNames()) rules_.allowed_hosts.push_back(std::move(name));
    std::random_device random;
    id_prefix_ = fmt::format("{:08x}", random());
  }

  Result<void> start();
  asio::awaitable<void> stop(Millis patience);
  ServerCounts counts() const;
  std::uint16_t port() const;

 private:
  static constexpr Millis kLinger{1000};  ///< for the client to read the last answer

  enum class Phase { idle, reading, handling, writing, ending };

  /// One connection. Known to the server as long as it lives.
  struct Session {
    Session(Impl& owner, Socket connected, Peer other, Place taken)
        : server(owner), socket(std::move(connected)), peer(std::move(other)), place(taken) {
      server.open_.insert(this);
      ++server.places_.taken(place);
      enter(Phase::idle, server.options_.idle_timeout);
    }
    ~Session() {
      server.open_.erase(this);
      --server.places_.taken(place);
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    void enter(Phase next, Millis time) {
      phase = next;
      deadline = Mono::now() + time;
    }

    Impl& server;
    Socket socket;
    Peer peer;
    const Place place;
    boost::beast::flat_buffer buffer;
    std::string head;  ///< of the response being written
    asio::cancellation_signal handler;
    Phase phase = Phase::idle;
    Mono::time_point deadline;
  };

  /// A request's outcome, and what it takes to send it.
  struct Answer {
    Response response;
    std::string request_id;
    bool head_only = false;
    bool keep = false;
  };

  static void logFailure(const std::string& name, const std::string& what) {
    log(Level::error, "api: " + name + " ended: " + what);
  }

  template <class Acceptor>
  asio::awaitable<void> accept(Acceptor* acceptor);
  void welcome(Socket socket, Peer peer);
  void tell(Refusals& kind, const Peer& peer, std::string_view why);
  void note(const Problem& problem, const Peer& peer);
  asio::awaitable<void> serve(Socket socket, Peer peer);
  asio::awaitable<void> tellBusy(Socket socket, Peer peer);
  asio::awaitable<bool> serveOne(Session* session);
  asio::awaitable<error_code> read(Session* session, Parser* parser, bool whole);
  asio::awaitable<Answer> answer(Session* session, Parser* parser);
  asio::awaitable<Outcome> handle(Session* session, const Route* route, Request request);
  asio::awaitable<bool> write(Session* session, const Answer* answer);
  asio::awaitable<void> linger(Session* session);
  asio::awaitable<void> sweep();
  void expire(Session& session);
  void abort(Session& session);
  Answer problemAnswer(const Problem& problem, std::string request_id);
  std::string newRequestId() { return fmt::format("{}-{:x}", id_prefix_, ++last_id_); }
  const std::string& date();

  asio::any_io_executor loop_;
  Api api_;
  ServerOptions options_;
  AdmissionRules rules_;
  TaskGroup listeners_, sessions_;
  asio::steady_timer sweeper_;
  std::optional<UnixListener> unix_;
  std::optional<TcpAcceptor> tcp_;
  std::set<Session*> open_;
  Places places_;
  Refusals crowded_, unwelcome_;
  ServerCounts counts_;
  bool stopping_ = false;
  std::optional<Mono::time_point> patience_ends_;
  std::string id_prefix_;
  std::uint64_t last_id_ = 0;
  std::chrono::sys_seconds dated_{};
  std::string date_;
};

}  // namespace virtseer::api

#include "api/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <random>
#include <set>

#include "api/admission.h"
#include "api/listen.h"
#include "api/places.h"
#include "api/refusals.h"
#include "api/request_head.h"
#include "api/response_head.h"
#include "api/router.h"
#include "base/log.h"
#include "base/task_group.h"

namespace virtseer::api {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Mono = std::chrono::steady_clock;
/// One type for both kinds of connection, so that all below is compiled once.
using Socket = asio::generic::stream_protocol::socket;

namespace {

constexpr std::size_t kReadBytes = 8192;
/// After an answer that ends the connection: what is still read of it, so that the client is not
/// reset before it has read the answer.
constexpr std::size_t kLingerBytes = 256 * 1024;
constexpr Millis kLinger{1000};
/// Connections beyond the bound that are told so; further ones are just closed.
constexpr std::size_t kToldBusy = 32;
constexpr Millis kAcceptPause{100};

}  // namespace

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

Result<void> Server::Impl::start() {
  if (!options_.socket.empty()) {
    auto listener = listenUnix(loop_, options_.socket);
    if (!listener) return fail(listener.error());
    unix_.emplace(std::move(*listener));
  }
  if (!options_.listen.empty()) {
    auto acceptor = listenTcp(loop_, options_.listen);
    if (!acceptor) return fail(acceptor.error());
    tcp_.emplace(std::move(*acceptor));
  }
  if (unix_) listeners_.spawn("accept on UNIX socket", accept(&unix_->acceptor()));
  if (tcp_) listeners_.spawn("accept on TCP", accept(&*tcp_));
  listeners_.spawn("deadlines", sweep());
  return {};
}

template <class Acceptor>
asio::awaitable<void> Server::Impl::accept(Acceptor* acceptor) {
  asio::steady_timer pause(loop_);
  while (!stopping_) {
    error_code failed;
    auto socket =
        co_await acceptor->async_accept(asio::redirect_error(asio::use_awaitable, failed));
    if (stopping_ || failed == asio::error::operation_aborted) co_return;
    if (failed) {
      // Out of descriptors, most likely: what is open goes on, and then there is room again.
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(asio::use_awaitable);
      continue;
    }
    Peer peer;
    if constexpr (std::is_same_v<Acceptor, TcpAcceptor>) {
      peer = tcpPeer(socket);
      socket.set_option(asio::ip::tcp::no_delay(true), failed);
    }
    welcome(Socket(std::move(socket)), std::move(peer));
  }
}

void Server::Impl::welcome(Socket socket, Peer peer) {
  ++counts_.accepted;
  if (places_.free(peer.local ? Place::local : Place::tcp))
    return sessions_.spawn("connection", serve(std::move(socket), std::move(peer)));
  tell(crowded_, peer, "too many connections; see api.max_connections");
  if (places_.taken(Place::surplus) < (peer.local ? kToldBusy : kToldBusy / 2))
    sessions_.spawn("surplus connection", tellBusy(std::move(socket), std::move(peer)));
}

void Server::Impl::tell(Refusals& kind, const Peer& peer, std::string_view why) {
  ++counts_.refused;
  const auto text = kind.add(Mono::now(), peer.local ? "the UNIX socket" : peer.remote, why);
  if (text) log(Level::warning, *text);
}

void Server::Impl::note(const Problem& problem, const Peer& peer) {
  if (isRefusal(problem.status, problem.code))
    tell(unwelcome_, peer, fmt::format("{}: {}", problem.status, problem.detail));
}

asio::awaitable<void> Server::Impl::serve(Socket socket, Peer peer) {
  Session session(*this, std::move(socket), peer, peer.local ? Place::local : Place::tcp);
  bool more = true;
  while (more && !stopping_) more = co_await serveOne(&session);
  co_await linger(&session);
}

asio::awaitable<void> Server::Impl::tellBusy(Socket socket, Peer peer) {
  Session session(*this, std::move(socket), std::move(peer), Place::surplus);
  const Problem busy = problem({Code::busy, "too many connections; try again in a moment"});
  const Answer answer = problemAnswer(busy, newRequestId());
  co_await write(&session, &answer);
  co_await linger(&session);
}

asio::awaitable<bool> Server::Impl::serveOne(Session* session) {
  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(options_.max_header_bytes));
  // Which route's bound holds is known when the header is; no body is read before.
  parser.body_limit(std::max(options_.max_body_bytes, kLargestBody));
  const error_code failed = co_await read(session, &parser, false);
  const bool lost = failed && failed.category() == asio::error::get_system_category();
  if (lost || failed == http::error::end_of_stream || failed == http::error::partial_message)
    co_return false;
  if (failed) {
    const Problem wrong = malformed(failed);
    note(wrong, session->peer);
    const Answer refusal = problemAnswer(wrong, newRequestId());
    co_await write(session, &refusal);
    co_return false;
  }
  const Answer answered = co_await answer(session, &parser);
  const bool written = co_await write(session, &answered);
  co_return written&& answered.keep;
}

/// Reads on until the header, or the whole message, is there. What follows it stays in the buffer.
asio::awaitable<error_code> Server::Impl::read(Session* session, Parser* parser, bool whole) {
  parser->eager(whole);
  if (session->buffer.size() == 0 && !whole)
    session->enter(Phase::idle, options_.idle_timeout);
  else
    session->enter(Phase::reading, options_.read_timeout);
  for (;;) {
    if (whole ? parser->is_done() : parser->is_header_done()) co_return error_code();
    error_code failed;
    if (session->buffer.size() > 0) {
      session->buffer.consume(parser->put(session->buffer.cdata(), failed));
      if (failed && failed != http::error::need_more) co_return failed;
      if (!failed) continue;
      failed.clear();
    }
    if (session->buffer.size() > options_.max_header_bytes) co_return http::error::buffer_overflow;
    const auto bytes = co_await session->socket.async_read_some(
        session->buffer.prepare(kReadBytes), asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::eof)
      co_return parser->got_some() ? http::error::partial_message : http::error::end_of_stream;
    if (failed) co_return failed;
    session->buffer.commit(bytes);
    if (session->phase == Phase::idle) session->enter(Phase::reading, options_.read_timeout);
  }
}

asio::awaitable<Server::Impl::Answer> Server::Impl::answer(Session* session, Parser* parser) {
  const auto& message = parser->get();
  const auto id = message["X-Request-Id"];
  std::string request_id(id.data(), id.size());
  if (!isRequestId(request_id)) request_id = newRequestId();
  const bool head_only = message.method() == http::verb::head;
  const bool keep = parser->keep_alive() && message.version() == 11;
  const auto close = [&](const Problem& problem) {
    note(problem, session->peer);
    Answer out = problemAnswer(problem, request_id);
    out.head_only = head_only;
    out.keep = keep && parser->is_done();
    return out;
  };

  const Credentials given = credentials(message);
  if (const auto problem = refused(rules_, session->peer, given)) co_return close(*problem);
  const auto target = message.target();
  auto matched = match(given.method, {target.data(), target.size()});
  if (!matched) co_return close(matched.error());
  const std::size_t most = std::max(options_.max_body_bytes, matched->route->max_body);
  if (parser->content_length().value_or(0) > most)
    co_return close(malformed(http::error::body_limit));
  if (!parser->is_done()) parser->body_limit(most);

  if (!parser->is_done()) {
    if (boost::beast::iequals(message[http::field::expect], "100-continue")) {
      static constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
      error_code failed;
      co_await asio::async_write(session->socket, asio::buffer(kGoOn),
                                 asio::redirect_error(asio::use_awaitable, failed));
    }
    const error_code failed = co_await read(session, parser, true);
    if (failed) co_return close(malformed(failed));
  }
  const auto type = message[http::field::content_type];
  matched->request.content_type = std::string(type.data(), type.size());
  matched->request.body = std::move(parser->get().body());
  ++counts_.requests;
  auto outcome = co_await handle(session, matched->route, std::move(matched->request));
  if (!outcome) note(outcome.error(), session->peer);
  Answer out;
  out.response = outcome ? std::move(*outcome) : toResponse(outcome.error(), request_id);
  out.request_id = std::move(request_id);
  out.head_only = head_only;
  out.keep = keep;
  co_return out;
}

asio::awaitable<Outcome> Server::Impl::handle(Session* session, const Route* route,
                                              Request request) {
  session->enter(Phase::handling, options_.request_deadline);
  try {
    if (route->at_once) co_return route->at_once(api_, request);
    co_return co_await asio::co_spawn(
        loop_, route->later(api_, std::move(request)),
        asio::bind_cancellation_slot(session->handler.slot(), asio::use_awaitable));
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted)
      co_return refuse(
          Error{Code::timeout, "no answer in time; try again, or ask for less at once"});
    ++counts_.failed;
    log(Level::error, fmt::format("api: {}: {}", route->name, error.what()));
  } catch (const std::exception& error) {
    ++counts_.failed;
    log(Level::error, fmt::format("api: {}: {}", route->name, error.what()));
  }
  co_return refuse(Error{Code::failed, "the daemon failed to answer; its log says why"});
}

Server::Impl::Answer Server::Impl::problemAnswer(const Problem& problem, std::string request_id) {
  Answer out;
  out.response = toResponse(problem, request_id);
  out.request_id = std::move(request_id);
  return out;
}

const std::string& Server::Impl::date() {
  const auto now = std::chrono::floor<std::chrono::seconds>(api_.clock.wall());
  if (date_.empty() || now != dated_) {
    dated_ = now;
    date_ = httpDate(now);
  }
  return date_;
}

asio::awaitable<bool> Server::Impl::write(Session* session, const Answer* answer) {
  const Response& response = answer->response;
  const bool keep = answer->keep && !stopping_;
  session->head = responseHead(response, answer->request_id, date(), keep);

  session->enter(Phase::writing, options_.request_deadline);
  const std::array<asio::const_buffer, 2> buffers{
      asio::buffer(session->head),
      answer->head_only ? asio::const_buffer() : asio::buffer(response.body)};
  error_code failed;
  co_await asio::async_write(session->socket, buffers,
                             asio::redirect_error(asio::use_awaitable, failed));
  co_return !failed && keep;
}

/// Ends our side and reads what the client still sends, within bounds: a reset would take the last
/// answer from it.
asio::awaitable<void> Server::Impl::linger(Session* session) {
  session->enter(Phase::ending, kLinger);
  error_code failed;
  session->socket.shutdown(Socket::shutdown_send, failed);
  std::array<char, kReadBytes> waste;
  for (std::size_t read = 0; !failed && read < kLingerBytes && !stopping_;)
    read += co_await session->socket.async_read_some(
        asio::buffer(waste), asio::redirect_error(asio::use_awaitable, failed));
}

/// One timer for all connections: cheaper than one for each request, and fine enough.
asio::awaitable<void> Server::Impl::sweep() {
  const Millis shortest =
      std::min({options_.read_timeout, options_.request_deadline, options_.idle_timeout, kLinger});
  const Millis pause = std::clamp(shortest / 4, Millis(5), Millis(250));
  for (;;) {
    sweeper_.expires_after(pause);
    co_await sweeper_.async_wait(asio::use_awaitable);
    const auto now = Mono::now();
    const bool impatient = patience_ends_ && now >= *patience_ends_;
    std::vector<Session*> due;
    for (Session* session : open_)
      if (impatient || now >= session->deadline) due.push_back(session);
    // What a handler does when it is cancelled may end other sessions.
    for (Session* session : due) {
      if (!open_.contains(session)) continue;
      if (impatient)
        abort(*session);
      else
        expire(*session);
    }
  }
}

void Server::Impl::expire(Session& session) {
  if (session.phase == Phase::handling) {
    ++counts_.timed_out;
    // A handler that does not heed it is asked again, not cut off: its answer still has a taker.
    session.deadline = Mono::now() + options_.request_deadline;
    session.handler.emit(asio::cancellation_type::terminal);
    return;
  }
  if (session.phase == Phase::reading || session.phase == Phase::writing) ++counts_.timed_out;
  abort(session);
}

void Server::Impl::abort(Session& session) {
  error_code ignored;
  session.socket.close(ignored);
  if (session.phase == Phase::handling) session.handler.emit(asio::cancellation_type::terminal);
}

asio::awaitable<void> Server::Impl::stop(Millis patience) {
  stopping_ = true;
  if (unix_) unix_->close();
  error_code ignored;
  if (tcp_) tcp_->close(ignored);
  for (Session* session : open_)  // closing only queues what follows
    if (session->phase == Phase::idle || session->phase == Phase::ending) abort(*session);
  patience_ends_ = Mono::now() + patience;
  co_await sessions_.join();
  listeners_.cancel();
  co_await listeners_.join();
}

ServerCounts Server::Impl::counts() const {
  ServerCounts out = counts_;
  out.connections = open_.size();
  return out;
}

std::uint16_t Server::Impl::port() const {
  if (!tcp_) return 0;
  error_code ignored;
  return tcp_->local_endpoint(ignored).port();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(asio::any_io_executor loop, Backend& backend,
                                              Decisions& decisions, const Clock& clock,
                                              ServerOptions options) {
  auto impl =
      std::make_unique<Impl>(std::move(loop), backend, decisions, clock, std::move(options));
  if (auto started = impl->start(); !started) return fail(started.error());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

asio::awaitable<void> Server::stop(Millis patience) {
  return impl_->stop(patience);
}
ServerCounts Server::counts() const {
  return impl_->counts();
}
std::uint16_t Server::port() const {
  return impl_->port();
}

}  // namespace virtseer::api

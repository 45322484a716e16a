#include "api/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "api/server_impl.h"

namespace virtseer::api {

namespace {

/// Connections beyond the bound that are told so; further ones are just closed.
constexpr std::size_t kToldBusy = 32;
constexpr Millis kAcceptPause{100};

}  // namespace

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

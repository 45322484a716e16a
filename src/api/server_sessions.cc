#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "api/response_head.h"
#include "api/server_impl.h"

/// One connection: requests one after the other, and its end.
namespace virtseer::api {

namespace http = boost::beast::http;

namespace {

constexpr std::size_t kReadBytes = 8192;
/// After an answer that ends the connection: what is still read of it, so that the client is not
/// reset before it has read the answer.
constexpr std::size_t kLingerBytes = 256 * 1024;

}  // namespace

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

}  // namespace virtseer::api

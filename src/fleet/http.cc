#include "fleet/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <memory>

#include "base/text.h"
#include "virtseer/version.h"

namespace virtseer::fleet {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

using boost::system::error_code;
using Stream =
    beast::basic_stream<asio::ip::tcp, asio::any_io_executor, beast::unlimited_rate_policy>;
using Message = http::request<http::string_body>;

Message message(const Address& address, HttpRequest request) {
  const bool posts = request.method == HttpRequest::Method::post;
  Message out(posts ? http::verb::post : http::verb::get, request.target, 11);
  out.set(http::field::host, address.text());
  out.set(http::field::user_agent, fmt::format("virtseer/{}", kVersion));
  out.set(http::field::accept, "application/json");
  out.set(http::field::connection, "close");
  if (!request.token.empty()) out.set(http::field::authorization, "Bearer " + request.token);
  if (posts) out.set(http::field::content_type, "application/json");
  out.body() = std::move(request.body);
  out.prepare_payload();
  return out;
}

/// Before the connection stood: nothing was asked of anybody.
Error unconnected(const error_code& error) {
  if (error == beast::error::timeout) return {Code::timeout, "no connection in time"};
  if (error == asio::error::operation_aborted) return {Code::cancelled, "given up"};
  if (error == asio::error::connection_refused)
    return {Code::unreachable, "the connection was refused: is the daemon there running?"};
  return {Code::unreachable, printable(error.message())};
}

/// Afterwards: the other side may have understood us, and may act.
Error unanswered(const error_code& error) {
  if (error == beast::error::timeout) return {Code::timeout, "no answer in time"};
  if (error == asio::error::operation_aborted) return {Code::cancelled, "given up"};
  if (error == http::error::body_limit || error == http::error::header_limit ||
      error == http::error::buffer_overflow)
    return {Code::failed, "the answer is too large"};
  const bool cut = error == http::error::end_of_stream || error == http::error::partial_message ||
                   error == asio::error::eof;
  if (!cut && error.category() == make_error_code(http::error::bad_version).category())
    return {Code::failed, "what answers there does not speak HTTP/1.1"};
  return {Code::timeout, "the connection was cut before the answer was whole"};
}

/// Whether the connection was torn down by the other side.
bool tornDown(const error_code& error) {
  return error == asio::error::broken_pipe || error == asio::error::connection_reset;
}

asio::awaitable<Result<HttpReply>> talk(Stream& stream, Message message, std::size_t most_bytes) {
  error_code error;
  co_await http::async_write(stream, message, asio::redirect_error(asio::use_awaitable, error));
  // A daemon that is full answers and closes before it has read all: its answer is there.
  if (error && !tornDown(error)) co_return fail(unanswered(error));
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(most_bytes);
  co_await http::async_read(stream, buffer, parser,
                            asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return fail(unanswered(error));
  // Without a length a cut connection would look like an end.
  if (!parser.content_length() && !parser.chunked())
    co_return fail(Code::failed, "the answer does not say how long it is");
  auto& reply = parser.get();
  co_return HttpReply{reply.result_int(), std::move(reply.body())};
}

bool visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

/// Of the time that is left, for the next of so many endpoints: a silent one must leave time for
/// those after it.
Millis shareOf(Deadline deadline, std::size_t endpoints) {
  return std::max(Millis(1), left(deadline) / static_cast<long>(endpoints));
}

/// To the first endpoint that takes the connection; fails as the last one did.
asio::awaitable<Result<std::unique_ptr<Stream>>> connected(Endpoints endpoints, Deadline deadline) {
  const auto executor = co_await asio::this_coro::executor;
  error_code error = asio::error::not_found;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    auto stream = std::make_unique<Stream>(executor);
    stream->expires_after(shareOf(deadline, endpoints.size() - i));
    co_await stream->async_connect(endpoints[i], asio::redirect_error(asio::use_awaitable, error));
    if (!error) co_return Result<std::unique_ptr<Stream>>(std::move(stream));
    if (error == asio::error::operation_aborted) break;
  }
  co_return fail(unconnected(error));
}

}  // namespace

asio::awaitable<Result<HttpReply>> exchange(Lookup& lookup, Address address, HttpRequest request,
                                            Deadline deadline) {
  auto endpoints = co_await lookup.find(address, deadline);
  if (!endpoints) co_return fail(endpoints.error());
  co_return co_await exchange(std::move(*endpoints), std::move(address), std::move(request),
                              deadline);
}

asio::awaitable<Result<HttpReply>> exchange(Endpoints endpoints, Address address,
                                            HttpRequest request, Deadline deadline) {
  if (!visible(request.target)) co_return fail(Code::invalid, "the path has unencoded characters");
  if (!visible(request.token)) co_return fail(Code::invalid, "the token is not visible ASCII");
  const auto stream = co_await connected(std::move(endpoints), deadline);
  if (!stream) co_return fail(stream.error());
  (*stream)->expires_at(deadline);
  const std::size_t most_bytes = request.most_reply_bytes;
  co_return co_await talk(**stream, message(address, std::move(request)), most_bytes);
}

asio::awaitable<bool> portAnswers(Lookup& lookup, Address address, Deadline deadline) {
  const auto endpoints = co_await lookup.find(address, deadline);
  if (!endpoints) co_return false;
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < endpoints->size(); ++i) {
    Stream stream(executor);
    stream.expires_after(shareOf(deadline, endpoints->size() - i));
    error_code error;
    co_await stream.async_connect((*endpoints)[i],
                                  asio::redirect_error(asio::use_awaitable, error));
    if (!error || error == asio::error::connection_refused) co_return true;
  }
  co_return false;
}

}  // namespace virtseer::fleet

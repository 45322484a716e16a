#include "cli/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <fstream>

#include "base/text.h"
#include "virtseer/version.h"

namespace virtseer::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Unix = asio::local::stream_protocol;
using Tcp = asio::ip::tcp;
template <class Protocol>
using Stream = beast::basic_stream<Protocol, asio::any_io_executor, beast::unlimited_rate_policy>;
using Message = http::request<http::string_body>;

constexpr std::uint64_t kMaxBodyBytes = 256u << 20;

Message message(const Request& request, const std::string& host, const std::string& token) {
  Message out(request.method == Request::Method::post ? http::verb::post : http::verb::get,
              request.target, 11);
  out.set(http::field::host, host);
  out.set(http::field::user_agent, fmt::format("virtseer/{}", kVersion));
  out.set(http::field::connection, "close");
  if (!token.empty()) out.set(http::field::authorization, "Bearer " + token);
  if (request.method == Request::Method::post)
    out.set(http::field::content_type, "application/json");
  out.body() = request.body;
  out.prepare_payload();
  return out;
}

template <class S>
asio::awaitable<Reply> talk(S& stream, const Message& message) {
  // A daemon that is full answers and closes before it has read anything: its answer is there.
  beast::error_code unsent;
  co_await http::async_write(stream, message, asio::redirect_error(asio::use_awaitable, unsent));
  if (unsent && unsent != asio::error::broken_pipe && unsent != asio::error::connection_reset)
    throw beast::system_error(unsent);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxBodyBytes);
  co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
  co_return Reply{parser.get().result_int(), std::move(parser.get().body())};
}

asio::awaitable<Reply> overUnix(std::string path, Message message, Millis deadline) {
  Stream<Unix> stream(co_await asio::this_coro::executor);
  stream.expires_after(deadline);
  co_await stream.async_connect(Unix::endpoint(path), asio::use_awaitable);
  co_return co_await talk(stream, message);
}

asio::awaitable<Reply> overTcp(Address address, Message message, Millis deadline) {
  const auto executor = co_await asio::this_coro::executor;
  Tcp::resolver resolver(executor);
  const auto endpoints =
      co_await resolver.async_resolve(address.host, address.port, asio::use_awaitable);
  Stream<Tcp> stream(executor);
  stream.expires_after(deadline);
  co_await stream.async_connect(endpoints, asio::use_awaitable);
  co_return co_await talk(stream, message);
}

Error errorOf(const boost::system::system_error& error, const std::string& where) {
  const auto code = error.code();
  const std::string why = printable(code.message());
  if (code == beast::error::timeout)
    return {Code::timeout, fmt::format("{}: no answer in time", where)};
  if (code == boost::system::errc::permission_denied)
    return {Code::unreachable,
            fmt::format("{}: {}: are you in the group that may connect?", where, why)};
  if (code == boost::system::errc::no_such_file_or_directory ||
      code == boost::system::errc::connection_refused)
    return {Code::unreachable,
            fmt::format("{}: no daemon answers ({}): is it running?", where, why)};
  if (code == http::error::end_of_stream || code == boost::system::errc::connection_reset ||
      code == boost::system::errc::broken_pipe)
    return {Code::unreachable,
            fmt::format("{}: the connection was closed without an answer; try again", where)};
  const auto& category = code.category();
  if (category == make_error_code(http::error::bad_version).category())
    return {Code::failed, fmt::format("{}: no valid answer: {}", where, why)};
  return {Code::unreachable, fmt::format("{}: {}", where, why)};
}

/// Runs the coroutine to its end; its name lookup, which no stream limits, is cut off by `deadline`
/// too.
Result<Reply> run(asio::awaitable<Reply> exchange, asio::io_context& io, Millis deadline,
                  const std::string& where) {
  std::exception_ptr fault;
  std::optional<Reply> reply;
  asio::co_spawn(io, std::move(exchange), [&](std::exception_ptr failed, Reply got) {
    fault = failed;
    if (!failed) reply = std::move(got);
  });
  io.run_for(deadline + std::chrono::seconds(1));
  if (reply) return std::move(*reply);
  if (!fault) return fail(Code::timeout, fmt::format("{}: no answer in time", where));
  try {
    std::rethrow_exception(fault);
  } catch (const boost::system::system_error& error) {
    return fail(errorOf(error, where));
  } catch (const std::exception& error) {
    return fail(Code::failed, fmt::format("{}: {}", where, printable(error.what())));
  }
}

bool isUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~").contains(c);
}

}  // namespace

Result<Reply> exchange(const Connection& connection, const Request& request, Millis deadline) {
  asio::io_context io(1);
  if (connection.url.empty()) {
    constexpr std::size_t kMaxSocketPath = 107;
    if (connection.socket.empty() || connection.socket.size() > kMaxSocketPath)
      return fail(Code::invalid, "--socket: a path of 1 to 107 characters is wanted");
    return run(overUnix(connection.socket, message(request, "localhost", ""), deadline), io,
               deadline, printable(connection.socket));
  }
  auto address = parseUrl(connection.url);
  if (!address) return fail(address.error().in("--url"));
  auto token =
      connection.token_file.empty() ? Result<std::string>("") : readToken(connection.token_file);
  if (!token) return fail(token.error().in("--token-file"));
  const bool bracketed = address->host.contains(':');
  const std::string host =
      fmt::format(fmt::runtime(bracketed ? "[{}]:{}" : "{}:{}"), address->host, address->port);
  return run(overTcp(*address, message(request, host, *token), deadline), io, deadline, host);
}

Result<Address> parseUrl(std::string_view url) {
  const auto wrong =
      fail(Code::invalid, fmt::format("\"{}\": must be http://HOST:PORT", printable(url)));
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return wrong;
  url.remove_prefix(kScheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  const auto colon = url.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::string_view host = url.substr(0, colon), port = url.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool named = !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [&](char c) {
    return isUnreserved(c) || (bracketed && (c == ':' || c == '%'));
  });
  std::uint16_t number = 0;
  const auto [end, fault] = std::from_chars(port.begin(), port.end(), number);
  if (!named || fault != std::errc{} || end != port.end() || number == 0) return wrong;
  return Address{std::string(host), std::string(port)};
}

Result<std::string> readToken(const std::string& file) {
  constexpr std::size_t kMinTokenBytes = 16;  // the daemon takes none that is shorter
  constexpr std::size_t kMaxTokenBytes = 4096;
  std::ifstream in(file, std::ios::binary);
  std::string line;
  if (!in || (!std::getline(in, line) && !in.eof()))
    return fail(Code::invalid, fmt::format("cannot read {}", printable(file)));
  line.erase(0, std::min(line.find_first_not_of(" \t"), line.size()));
  line.erase(line.find_last_not_of(" \t\r") + 1);
  const bool visible = std::ranges::all_of(line, [](char c) { return c > 0x20 && c < 0x7F; });
  if (line.empty())
    return fail(Code::invalid,
                fmt::format("{} is empty: its first line must be the token", printable(file)));
  if (line.size() < kMinTokenBytes)
    return fail(Code::invalid, fmt::format("{}: the token must have at least {} characters",
                                           printable(file), kMinTokenBytes));
  if (line.size() > kMaxTokenBytes || !visible)
    return fail(Code::invalid,
                fmt::format("{} does not hold a token in its first line", printable(file)));
  return line;
}

std::string percentEncoded(std::string_view text) {
  std::string out;
  for (const char c : text)
    out +=
        isUnreserved(c) ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace virtseer::cli

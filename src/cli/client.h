#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "cli/invocation.h"

namespace virtseer::cli {

struct Request {
  enum class Method { get, post };
  Method method = Method::get;
  std::string target;  ///< path and query, percent-encoded
  std::string body;    ///< JSON; for post
};

struct Reply {
  unsigned status = 0;
  std::string body;
};

/// Carries a request to the daemon. Code::unreachable: nobody is there; Code::timeout: it did not
/// answer in time and may still act; Code::invalid: the connection's own settings are wrong;
/// Code::failed: what came back is no HTTP, or is larger than 256 MiB.
using Transport = std::function<Result<Reply>(const Request&)>;

/// One HTTP/1.1 exchange over the UNIX socket or TCP. Blocks for at most `deadline`, name lookup
/// included.
Result<Reply> exchange(const Connection& connection, const Request& request,
                       Millis deadline = Millis(40'000));

struct Address {
  std::string host, port;
};
/// The parts of http://HOST:PORT, brackets of an IPv6 address taken off.
Result<Address> parseUrl(std::string_view url);

/// The token in the file's first line, without white space around it.
Result<std::string> readToken(const std::string& file);

/// `text` as one segment of a path or one value of a query (RFC 3986: all but unreserved
/// characters).
std::string percentEncoded(std::string_view text);

}  // namespace virtseer::cli

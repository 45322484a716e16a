#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "fleet/address.h"
#include "fleet/lookup.h"

namespace virtseer::fleet {

struct HttpRequest {
  enum class Method { get, post };
  Method method = Method::get;
  std::string target;  ///< path, percent-encoded
  std::string body;    ///< JSON, for post
  std::string token;   ///< visible ASCII; a secret
  std::size_t most_reply_bytes = 1u << 20;
};

struct HttpReply {
  unsigned status = 0;
  std::string body;
};

/// One HTTP/1.1 exchange over a connection of its own; lookup, connecting, writing and reading take
/// no longer than `deadline` together. Of several addresses the first that takes the connection is
/// asked; one that is silent leaves time for those after it. Code::unreachable: nobody is there,
/// nothing was asked. Code::timeout: it did not answer, or not in full; it may still act.
/// Code::failed: what came back is no HTTP or too large. Code::cancelled. `lookup` must outlive the
/// call.
boost::asio::awaitable<Result<HttpReply>> exchange(Lookup& lookup, Address address,
                                                   HttpRequest request, Deadline deadline);

/// The same where the addresses are known; `address` is what the request calls the host.
boost::asio::awaitable<Result<HttpReply>> exchange(Endpoints endpoints, Address address,
                                                   HttpRequest request, Deadline deadline);

/// True if something on the way answers for that port: by taking the connection or by refusing it.
boost::asio::awaitable<bool> portAnswers(Lookup& lookup, Address address, Deadline deadline);

}  // namespace virtseer::fleet

#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "agent/file.h"
#include "agent/server_address.h"

namespace virtseer::agent {

/// Where a page of metrics is read: a port of this guest, or a socket in its file system.
struct ScrapeTarget {
  SocketAddress address;
  std::string interface;  ///< of a link-local address of IPv6
  std::string host;       ///< as the request names it
  std::string path;       ///< of the page
};

/// http://ADDRESS[:PORT]/PATH with a loopback or link-local address (or "localhost"), or
/// unix:SOCKET:/PATH. Failure: what is wrong with it, to be put behind it.
std::expected<ScrapeTarget, std::string> parseTarget(std::string_view url);

/// A socket that is being connected and never blocks. Nothing is sent to an address that is not
/// this guest's own. Failure: the reason.
std::expected<Descriptor, std::string> connectTo(const ScrapeTarget& target);

}  // namespace virtseer::agent

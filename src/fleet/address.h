#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace virtseer::fleet {

/// A name or address and a TCP port, as a person wrote them.
struct Address {
  std::string host;  ///< brackets of an IPv6 address taken off
  std::string port;

  /// HOST:PORT, an IPv6 address in brackets and without its zone; for the Host header and people.
  std::string text() const;
  bool operator==(const Address&) const = default;
};

/// The parts of http://HOST:PORT; Code::invalid for anything else.
Result<Address> parseUrl(std::string_view url);

/// Where the libvirtd of a migration URI listens: DRIVER+TRANSPORT://[USER@]HOST[:PORT]/PATH, with
/// libvirt's own ports where none is named (https://libvirt.org/uri.html). Absent if the URI names
/// no host, or a transport without a port.
std::optional<Address> libvirtAddress(std::string_view migration_uri);

/// `text` as one segment of a path (RFC 3986: all but unreserved characters encoded). Absent for
/// texts that no path can carry as a segment: empty, "." and "..".
std::optional<std::string> segment(std::string_view text);

}  // namespace virtseer::fleet

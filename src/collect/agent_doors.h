#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/result.h"

/// Sockets that agents call.
namespace virtseer::collect {

/// Owns a listening socket that does not block.
struct AgentDoor {
  enum class Kind : std::uint8_t { tls, vsock };
  Kind kind;
  boost::asio::posix::stream_descriptor socket;
};

/// `address`: "ADDRESS:PORT" or "[ADDRESS]:PORT"; an address that no interface has yet is served
/// once one has it.
Result<AgentDoor> openTlsDoor(const boost::asio::any_io_executor& loop, std::string_view address);
/// For every guest of this host.
Result<AgentDoor> openVsockDoor(const boost::asio::any_io_executor& loop, std::uint32_t port);

/// Who called.
struct Caller {
  Descriptor socket;
  std::string address;  ///< for a person: 192.0.2.7, 2001:db8::7, vsock CID 3
  std::string
      network;  ///< whose addresses anybody in it may take: of IPv6 the /64, else the address
};

/// Takes the next caller; nothing where none waits. Fails with busy where the process has no
/// descriptor left.
Result<std::optional<Caller>> takeCaller(AgentDoor& door);

}  // namespace virtseer::collect

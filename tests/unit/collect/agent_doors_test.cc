#include "collect/agent_doors.h"

#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

namespace virtseer::collect {
namespace {

/// Calls the door from this machine, over IPv4 or IPv6.
Descriptor call(AgentDoor& door, int family) {
  sockaddr_in6 bound{};
  socklen_t size = sizeof bound;
  REQUIRE(::getsockname(door.socket.native_handle(), reinterpret_cast<sockaddr*>(&bound), &size) ==
          0);
  Descriptor fd(::socket(family, SOCK_STREAM, 0));
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = bound.sin6_port;  // at the same place in both
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = bound.sin6_port;
  v6.sin6_addr = in6addr_loopback;
  REQUIRE((family == AF_INET
               ? ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&v4), sizeof v4)
               : ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&v6), sizeof v6)) == 0);
  return fd;
}

Caller callerOf(AgentDoor& door, int family) {
  const Descriptor caller = call(door, family);
  auto taken = takeCaller(door);
  REQUIRE(taken);
  REQUIRE(*taken);
  CHECK((*taken)->socket);
  return std::move(**taken);
}

TEST_CASE("who calls over TCP is named by address, and by network where IPv6 has many of them") {
  boost::asio::io_context loop;
  auto door = openTlsDoor(loop.get_executor(), "127.0.0.1:0");
  REQUIRE(door);
  CHECK_FALSE(*takeCaller(*door));
  const auto caller = callerOf(*door, AF_INET);
  CHECK(caller.address == "127.0.0.1");
  CHECK(caller.network == "127.0.0.1");
  auto both = openTlsDoor(loop.get_executor(), "[::]:0");
  if (!both) {
    WARN("this machine has no IPv6");
    return;
  }
  const auto six = callerOf(*both, AF_INET6);
  CHECK(six.address == "::1");
  CHECK(six.network == "::/64");
  const auto mapped = callerOf(*both, AF_INET);
  CHECK(mapped.address == "127.0.0.1");
  CHECK(mapped.network == "127.0.0.1");
}

TEST_CASE("what is no address and port, or is taken, opens no door and is named") {
  boost::asio::io_context loop;
  for (const char* wrong : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                            "host:1", "::1:1x", "[127.0.0.1]:"}) {
    CAPTURE(wrong);
    const auto door = openTlsDoor(loop.get_executor(), wrong);
    REQUIRE_FALSE(door);
    CHECK(door.error().code == Code::invalid);
    CHECK(door.error().message.find("echo.listen_tls") != std::string::npos);
  }
  auto door = openTlsDoor(loop.get_executor(), "127.0.0.1:0");
  REQUIRE(door);
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  REQUIRE(::getsockname(door->socket.native_handle(), reinterpret_cast<sockaddr*>(&bound), &size) ==
          0);
  const auto again =
      openTlsDoor(loop.get_executor(), "127.0.0.1:" + std::to_string(ntohs(bound.sin_port)));
  REQUIRE_FALSE(again);
  CHECK(again.error().message.find("in use") != std::string::npos);
}

TEST_CASE("a door opens at an address that no interface has yet") {
  boost::asio::io_context loop;
  CHECK(openTlsDoor(loop.get_executor(), "192.0.2.1:0"));
  CHECK(openTlsDoor(loop.get_executor(), "[2001:db8::1]:0"));
}

TEST_CASE("vsock is listened to, or it is said what lacks") {
  boost::asio::io_context loop;
  const auto door = openVsockDoor(loop.get_executor(), VMADDR_PORT_ANY);
  if (!door) CHECK(door.error().message.find("modprobe vhost_vsock") != std::string::npos);
}

}  // namespace
}  // namespace virtseer::collect

#include "fleet/address.h"

#include <catch2/catch.hpp>

using namespace virtseer;
using namespace virtseer::fleet;

TEST_CASE("a URL is a host and a port, and nothing else") {
  CHECK(parseUrl("http://beta:8470") == Address{"beta", "8470"});
  CHECK(parseUrl("http://beta.example.org:8470/") == Address{"beta.example.org", "8470"});
  CHECK(parseUrl("http://10.77.0.2:1") == Address{"10.77.0.2", "1"});
  CHECK(parseUrl("http://[::1]:8470") == Address{"::1", "8470"});
  for (const char* wrong :
       {"", "beta:8470", "https://beta:8470", "http://beta", "http://beta:", "http://beta:0",
        "http://beta:65536", "http://beta:80x", "http://:80", "http://beta:80/api", "http://::1:80",
        "http://[::1:80", "http://[::1]80", "http://user@beta:80", "http://be ta:80",
        "http://beta\r\nX: y:80", "http://beta:80\r\n"}) {
    INFO(wrong);
    const auto address = parseUrl(wrong);
    REQUIRE_FALSE(address);
    CHECK(address.error().code == Code::invalid);
  }
}

TEST_CASE("an IPv6 address is shown in brackets and without its zone") {
  CHECK(Address{"::1", "80"}.text() == "[::1]:80");
  CHECK(Address{"fe80::1%eth0", "80"}.text() == "[fe80::1]:80");
  CHECK(Address{"beta", "80"}.text() == "beta:80");
}

TEST_CASE("a migration URI tells where libvirt listens") {
  CHECK(libvirtAddress("qemu+tls://beta/system") == Address{"beta", "16514"});
  CHECK(libvirtAddress("qemu://beta/system") == Address{"beta", "16514"});
  CHECK(libvirtAddress("qemu+tcp://10.77.0.2/system") == Address{"10.77.0.2", "16509"});
  CHECK(libvirtAddress("qemu+tcp://10.77.0.2:17000/system") == Address{"10.77.0.2", "17000"});
  CHECK(libvirtAddress("qemu+ssh://root@beta/system?keyfile=/k") == Address{"beta", "22"});
  CHECK(libvirtAddress("qemu+tls://[fd00::2]:99/system") == Address{"fd00::2", "99"});
  CHECK(libvirtAddress("qemu+tls://[fd00::2]/system") == Address{"fd00::2", "16514"});
  CHECK(libvirtAddress("qemu+tls://beta") == Address{"beta", "16514"});
  for (const char* wrong : {"", "qemu:///system", "qemu+unix:///system?socket=/run/x", "beta",
                            "qemu+tls://beta:x/system", "qemu+carrier://beta/system"}) {
    INFO(wrong);
    CHECK_FALSE(libvirtAddress(wrong));
  }
}

TEST_CASE("a segment of a path cannot leave it") {
  CHECK(segment("op-1_2.3~") == "op-1_2.3~");
  CHECK(segment("a/b?c#d e%") == "a%2Fb%3Fc%23d%20e%25");
  CHECK(segment("x\r\nHost: evil") == "x%0D%0AHost%3A%20evil");
  CHECK(segment("\xC3\xBC") == "%C3%BC");
  CHECK(segment("...") == "...");
  CHECK_FALSE(segment(""));
  CHECK_FALSE(segment("."));
  CHECK_FALSE(segment(".."));
}

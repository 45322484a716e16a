#include "agent/sources/process_stat.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "agent/sources/cgroup_unit.h"
#include "process_tree.h"

namespace virtseer::agent {
namespace {

/// Recorded from Debian 12.
constexpr const char* kRecorded =
    "13636 (cat) R 13627 13627 8268 0 -1 4194304 100 0 0 0 7 5 2 1 20 0 4 0 205228 3133440 416 "
    "18446744073709551615 94124812345344 94124812365225 140731646530304 0 0 0 0 0 0 0 0 0 17 1 0 0 "
    "0 0 0 94124812381232 94124812382848 94125204967424 140731646536137 140731646536157 "
    "140731646536157 140731646537707 0\n";

TEST_CASE("a process's file is read field by field") {
  const auto stat = parseProcessStat(kRecorded);
  REQUIRE(stat);
  CHECK(stat->name.view() == "cat");
  CHECK(stat->state == 'R');
  CHECK(stat->parent == 13627);
  CHECK(stat->cpu_ticks == 12);
  CHECK(stat->children_ticks == 3);
  CHECK(stat->threads == 4);
  CHECK(stat->start_ticks == 205228);
  CHECK(stat->resident_pages == 416);
  CHECK_FALSE(stat->of_kernel);
}

TEST_CASE("a thread of the kernel is known by its flag") {
  const auto stat = parseProcessStat(
      "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 20 0 0 18446744073709551615\n");
  REQUIRE(stat);
  CHECK(stat->of_kernel);
}

TEST_CASE("a name of brackets, blanks and line ends does not shift the fields") {
  for (const std::string& name : std::vector<std::string>{
           "a) R 1 (b", "x\n9 (y) Z 5 5", ") ) (", "", "tab\there", {"n\0l", 3}}) {
    CAPTURE(name);
    const auto stat = parseProcessStat(Guest::statText(5, {.name = name, .parent = 7}));
    REQUIRE(stat);
    CHECK(stat->name.view() == name.substr(0, 15));
    CHECK(stat->parent == 7);
    CHECK(stat->start_ticks == 100);
  }
}

TEST_CASE("a file cut off before the last field needed, or wrong in one, is none") {
  const std::string whole = Guest::statText(5, {.pages = 777});
  const auto last = whole.find(" 777");
  for (std::size_t size = 0; size <= last; ++size)
    CHECK_FALSE(parseProcessStat(whole.substr(0, size)));
  CHECK(parseProcessStat(whole.substr(0, last + 4)));
  CHECK_FALSE(parseProcessStat("5 )x( S 1 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 9 9 9\n"));
  CHECK_FALSE(parseProcessStat("5 (x) S -1 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 9 9 9\n"));
  CHECK_FALSE(parseProcessStat("5 (x) SS 1 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 9 9 9\n"));
}

TEST_CASE("bytes read and written, and the effective user, are found by their names") {
  const auto io = parseProcessIo("rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\n");
  REQUIRE(io);
  CHECK(io->read_bytes == 4096);
  CHECK(io->write_bytes == 8192);
  CHECK_FALSE(parseProcessIo("read_bytes: 4096\nwrite_bytes: x\n"));
  CHECK_FALSE(parseProcessIo(""));
  CHECK(parseUser("Name:\tUid:\nUid:\t1\t1000\t0\t0\n") == 1000U);
  CHECK_FALSE(parseUser("Uid:\t1\n"));
}

UnitName service(const char* name) {
  return {UnitName::Kind::service, name};
}
UnitName container(const char* name) {
  return {UnitName::Kind::container, name};
}

TEST_CASE("the unit is the innermost one of the control group's path") {
  CHECK(unitOf("0::/system.slice/nginx.service\n") == service("nginx.service"));
  CHECK(unitOf("0::/system.slice/nginx.service/sub/group\n") == service("nginx.service"));
  CHECK(unitOf("0::/init.scope\n") == service("init.scope"));
  CHECK(unitOf("0::/user.slice/user-1000.slice/session-3.scope\n") == service("session-3.scope"));
  const char* const user = "0::/user.slice/user-1000.slice/user@1000.service";
  CHECK(unitOf(std::string(user) + "/app.slice/dbus.service\n") == service("dbus.service"));
  CHECK(unitOf(std::string(user) + "/init.scope\n") == service("user@1000.service"));
  CHECK(unitOf("0::/openrc.sshd\n") == service("sshd"));
}

TEST_CASE("systemd's own hierarchy is asked before the others") {
  CHECK(unitOf("4:memory:/a.service\n1:name=systemd:/system.slice/b.service\n0::/c.service\n") ==
        service("b.service"));
  CHECK(unitOf("4:memory:/a.service\n1:name=systemd:/\n0::/c.service\n") == service("c.service"));
  CHECK(unitOf("9:name=systemd:/\n4:memory:/a.service\n0::/\n") == service("a.service"));
}

TEST_CASE("a container is told by its short id, whatever runs inside of it") {
  const std::string id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  CHECK(unitOf("0::/system.slice/docker-" + id + ".scope\n") == container("docker-0123456789ab"));
  CHECK(unitOf("0::/system.slice/docker-" + id + ".scope/system.slice/x.service\n") ==
        container("docker-0123456789ab"));
  CHECK(unitOf("3:cpu:/docker/" + id + "\n") == container("0123456789ab"));
  CHECK(unitOf("0::/machine.slice/libpod-" + id + ".scope/container\n") ==
        container("libpod-0123456789ab"));
  CHECK(unitOf("0::/lxc.payload.web/init.scope\n") == container("web"));
  CHECK(unitOf("5:cpu:/lxc/web\n") == container("web"));
}

TEST_CASE("the root, slices and what is no such file belong to no unit") {
  for (const char* text : {"0::/\n", "0::/user.slice\n", "", "\n\n", "0:", "::", "0::.service\n"}) {
    CAPTURE(text);
    CHECK(unitOf(text) == UnitName{});
  }
}

}  // namespace
}  // namespace virtseer::agent

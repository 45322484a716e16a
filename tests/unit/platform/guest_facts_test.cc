#include "platform/libvirt/guest_facts.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace virtseer;
using namespace virtseer::platform;

namespace {

GuestFacts taken(std::vector<Field> fields) {
  GuestFacts out;
  takeGuestFields(fields, out);
  return out;
}

}  // namespace

TEST_CASE("what a guest says of itself becomes facts") {
  const auto facts = taken({{"os.id", 0, "debian"},
                            {"os.pretty-name", 0, "Debian GNU/Linux 12 (bookworm)"},
                            {"os.kernel-release", 0, "6.1.0-28-amd64"},
                            {"hostname", 0, "web"},
                            {"fs.count", 2, {}},
                            {"fs.0.mountpoint", 0, "/"},
                            {"fs.0.fstype", 0, "ext4"},
                            {"fs.0.total-bytes", 1000, {}},
                            {"fs.0.used-bytes", 400, {}},
                            {"fs.1.mountpoint", 0, "/boot"},
                            {"disks.count", 3, {}},
                            {"load.1m", 0.5, {}}});
  CHECK(facts.os == "Debian GNU/Linux 12 (bookworm)");
  CHECK(facts.kernel == "6.1.0-28-amd64");
  CHECK(facts.hostname == "web");
  REQUIRE(facts.filesystems.size() == 2);
  CHECK(facts.filesystems[0] == GuestFacts::Filesystem{"/", "ext4", 1000, 400});
  CHECK_FALSE(facts.filesystems[1].total_bytes);
  CHECK(facts.disks == 3u);
  CHECK(facts.load1 == 0.5);
}

TEST_CASE("a system without a name of its own is called by its parts") {
  CHECK(taken({{"os.name", 0, "Windows"}, {"os.version", 0, "10"}}).os == "Windows 10");
}

TEST_CASE("a guest that lies is cut short and cleaned") {
  std::vector<Field> fields;
  const std::string longer(10'000, 'x');
  fields.push_back({"hostname", 0, longer});
  fields.push_back({"os.pretty-name", 0, "a\x1b[2Jb\n\xff"});
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) names.push_back("fs." + std::to_string(i) + ".mountpoint");
  names.push_back("fs.99999999999999999999.mountpoint");
  names.push_back("fs..mountpoint");
  for (const auto& name : names) fields.push_back({name, 0, "/m"});
  fields.push_back({"fs.0.total-bytes", -5, {}});
  fields.push_back({"fs.0.used-bytes", std::numeric_limits<double>::quiet_NaN(), {}});
  fields.push_back({"load.1m", std::numeric_limits<double>::infinity(), {}});
  fields.push_back({"disks.count", 1e30, {}});
  const auto facts = taken(std::move(fields));
  CHECK(facts.hostname.size() <= 512);
  CHECK(facts.os.find('\x1b') == std::string::npos);
  CHECK(facts.os.find('\n') == std::string::npos);
  CHECK(facts.filesystems.size() == GuestFacts::kMostFilesystems);
  CHECK_FALSE(facts.filesystems[0].total_bytes);
  CHECK_FALSE(facts.filesystems[0].used_bytes);
  CHECK_FALSE(facts.load1);
  CHECK_FALSE(facts.disks);
}

TEST_CASE("a list of processors is counted, and nonsense is not") {
  CHECK(countOfList("0-3") == 4u);
  CHECK(countOfList("0,2,4-5") == 4u);
  CHECK(countOfList("") == 0u);
  for (const char* list : {"a", "3-1", "0-99999999", "1,,2", "1-", "-1", "0-65000,0-65000"})
    CHECK_FALSE(countOfList(list));
}

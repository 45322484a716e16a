#include "platform/libvirt/guest_answers.h"

#include <catch2/catch.hpp>
#include <string>

using namespace virtseer;
using namespace virtseer::platform;
using Question = GuestQuestion;

namespace {

GuestFacts taken(Question question, const std::string& answer) {
  GuestFacts out;
  CHECK(takeGuestAnswer(question, answer, out));
  return out;
}

std::string returning(const std::string& value) {
  return "{\"return\":" + value + "}";
}

}  // namespace

TEST_CASE("what a guest says of itself becomes facts") {
  const auto system = taken(
      Question::system,
      R"json({"return":{"name":"Debian GNU/Linux","kernel-release":"6.1.0-28-amd64","version":"12 (bookworm)",
      "pretty-name":"Debian GNU/Linux 12 (bookworm)","version-id":"12","machine":"x86_64","id":"debian"}
})json");
  CHECK(system.os == "Debian GNU/Linux 12 (bookworm)");
  CHECK(system.kernel == "6.1.0-28-amd64");
  CHECK(taken(Question::hostname, R"({"return":{"host-name":"web"}})").hostname == "web");
  const auto filesystems =
      taken(
          Question::filesystems,
          R"({"return":[{"name":"vda1","total-bytes":1000,"mountpoint":"/","used-bytes":400,"type":"ext4",
      "disk":[{"bus-type":"virtio","bus":0,"unit":0,"pci-controller":{"bus":4,"slot":0,"domain":0,"function":0},
      "dev":"/dev/vda1","target":0}]},{"mountpoint":"/boot"},{"name":"nowhere"}]})")
          .filesystems;
  REQUIRE(filesystems.size() == 2);
  CHECK(filesystems[0] == GuestFacts::Filesystem{"/", "ext4", 1000, 400});
  CHECK(filesystems[1].mountpoint == "/boot");
  CHECK_FALSE(filesystems[1].total_bytes);
  CHECK(
      taken(
          Question::disks,
          R"({"return":[{"name":"/dev/vda","partition":false},{"name":"/dev/vda1","partition":true},
              {"name":"/dev/vdb","partition":false}]})")
          .disks == 2u);
  CHECK(taken(Question::vcpus, R"({"return":[{"online":true,"can-offline":false,"logical-id":0},
              {"online":true,"logical-id":1},{"online":false,"logical-id":2}]})")
            .vcpus_online == 2u);
  CHECK(taken(Question::load, R"({"return":{"load1m":0.5,"load5m":1,"load15m":2}})").load1 == 0.5);
  CHECK(guestTime(R"({"return":1769846700123456789})") ==
        std::chrono::nanoseconds(1769846700123456789));
}

TEST_CASE("a system without a name of its own is called by its parts") {
  CHECK(taken(Question::system, returning(R"({"name":"Windows","version":"10"})")).os ==
        "Windows 10");
  CHECK(taken(Question::system, returning("{}")).os.empty());
}

TEST_CASE("texts of a guest are cleaned, and cut between two characters") {
  const auto dirty =
      taken(Question::system, "{\"return\":{\"pretty-name\":\"a\\u001b[2Jb\\n\"}}").os;
  CHECK(dirty == "a\\x1b[2Jb\\x0a");
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) umlauts += "\xc3\xa4";
  const auto long_name =
      taken(Question::hostname, returning("{\"host-name\":\"x" + umlauts + "\"}"));
  CHECK(long_name.hostname.size() == 127);
  CHECK(long_name.hostname.find("\\x") == std::string::npos);
}

TEST_CASE("numbers that a guest cannot mean are left out") {
  for (const char* number : {"-5", "1e300", "\"7\"", "null", "[]", "99999999999999999999"}) {
    const auto facts =
        taken(Question::filesystems,
              returning(std::string("[{\"mountpoint\":\"/\",\"total-bytes\":") + number + "}]"));
    REQUIRE(facts.filesystems.size() == 1);
    CHECK_FALSE(facts.filesystems[0].total_bytes);
    CHECK_FALSE(guestTime(returning(number)));
  }
  CHECK_FALSE(guestTime(returning("18446744073709551615")));
  CHECK_FALSE(guestTime(returning("1.5")));
  for (const char* load : {"-1", "1e300", "true"})
    CHECK_FALSE(taken(Question::load, returning(std::string("{\"load1m\":") + load + "}")).load1);
}

TEST_CASE("a guest cannot fill the memory: lists, depth and size are bounded") {
  std::string many = "[";
  for (int i = 0; i < 2000; ++i)
    many += (i ? "," : "") + ("{\"mountpoint\":\"/" + std::to_string(i) + "\"}");
  CHECK(taken(Question::filesystems, returning(many + "]")).filesystems.size() ==
        GuestFacts::kMostFilesystems);

  GuestFacts facts;
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  CHECK(takeGuestAnswer(Question::filesystems, returning(deep), facts));
  CHECK(facts == GuestFacts{});
  const std::string large(2'000'000, 'x');
  CHECK_FALSE(
      takeGuestAnswer(Question::hostname, returning("{\"host-name\":\"" + large + "\"}"), facts));
  CHECK(facts == GuestFacts{});
}

TEST_CASE("what is no answer to the question is not taken for one") {
  for (const char* answer :
       {"", "{", "[]", "7", "null", "{\"return\":7}", "{\"return\":null}", "{\"error\":{}}",
        "{\"return\":\"\\u001b\"}", "{\"return\":{\"host-name\":\"\xff\"}}"})
    for (const auto question : kGuestQuestions) {
      GuestFacts facts;
      CHECK_FALSE(takeGuestAnswer(question, answer, facts));
      CHECK(facts == GuestFacts{});
    }
  GuestFacts facts;
  CHECK_FALSE(takeGuestAnswer(Question::vcpus, returning("{}"), facts));
  CHECK_FALSE(takeGuestAnswer(Question::hostname, returning("[]"), facts));
  CHECK(taken(Question::vcpus, returning("[1,null,[],{\"online\":1}]")).vcpus_online == 0u);
}

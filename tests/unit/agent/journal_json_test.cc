#include "agent/sources/journal_json.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace virtseer::agent {
namespace {

/// What a test wants to know of an entry, with texts of its own.
struct Read {
  std::string message, unit, cursor;
  int priority;
};

std::vector<Read> readAll(JournalReader& reader, std::string_view bytes, std::size_t piece) {
  std::vector<Read> all;
  while (!bytes.empty()) {
    std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    while (reader.next(part)) {
      const LogEntry entry = reader.entry();
      all.push_back({std::string(entry.message), std::string(entry.unit),
                     std::string(reader.cursor()), entry.priority});
    }
  }
  return all;
}

std::vector<Read> readAll(std::string_view bytes, std::size_t piece = 1 << 20) {
  JournalReader reader;
  return readAll(reader, bytes, piece);
}

/// As journalctl of systemd 252 writes it.
constexpr std::string_view kRecorded =
    R"({"__CURSOR":"s=1b59;i=29b;b=584a;m=b634c743;t=66130535c2d42;x=1427","PRIORITY":"4",)"
    R"("__REALTIME_TIMESTAMP":"1795710045138242","__MONOTONIC_TIMESTAMP":"3056912195",)"
    R"("_BOOT_ID":"584a9c23ef7c406aadb116880f00e7b6","_PID":"25516","SYSLOG_IDENTIFIER":"tester",)"
    R"("_TRANSPORT":"stdout","_COMM":"cat","_SYSTEMD_UNIT":"a.service","MESSAGE":"hello warning"})"
    "\n"
    R"({"MESSAGE":[98,97,100,32,255,254],"__CURSOR":"s=1b59;i=29c;b=584a;m=b6","PRIORITY":"3"})"
    "\n"
    R"({"_PID":"1","UNIT":["a.service","b.service"],"MESSAGE":null,"PRIORITY":"4"})"
    "\n";

TEST_CASE("an entry is read however its bytes are cut into pieces") {
  for (const std::size_t piece : {1, 2, 3, 7, 64, 4096}) {
    const auto entries = readAll(kRecorded, piece);
    REQUIRE(entries.size() == 3);
    CHECK(entries[0].message == "hello warning");
    CHECK(entries[0].unit == "a.service");
    CHECK(entries[0].priority == 4);
    CHECK(entries[0].cursor == "s=1b59;i=29b;b=584a;m=b634c743;t=66130535c2d42;x=1427");
    CHECK(entries[1].message == "bad \xff\xfe");
    CHECK(entries[2].message.empty());
  }
}

TEST_CASE("what is trusted about an entry comes from the journal's own fields") {
  JournalReader reader;
  std::string_view bytes =
      R"({"__MONOTONIC_TIMESTAMP":"20","_TRANSPORT":"kernel","_SOURCE_MONOTONIC_TIMESTAMP":"17",)"
      R"("SYSLOG_IDENTIFIER":"kernel","PRIORITY":"6","MESSAGE":"a"})"
      "\n"
      R"({"_PID":"1","_COMM":"systemd","_TRANSPORT":"journal","UNIT":["a.service","b.service"],)"
      R"("UNIT_RESULT":"exit-code","MESSAGE_ID":"d9b373ed55a64feb8242e02dbe79a49c"})"
      "\n"
      R"({"_PID":"77","SYSLOG_IDENTIFIER":"kernel","_SOURCE_MONOTONIC_TIMESTAMP":"17"})"
      "\n";
  REQUIRE(reader.next(bytes));
  CHECK(reader.entry().kernel);
  CHECK(reader.entry().mono_us == 20);
  CHECK(reader.entry().kernel_us == 17);
  REQUIRE(reader.next(bytes));
  CHECK(reader.entry().init);
  CHECK(reader.entry().about_unit == "a.service");
  CHECK(reader.entry().result == "exit-code");
  CHECK(reader.entry().identifier == "systemd");
  CHECK(reader.entry().mono_us == -1);
  CHECK(reader.entry().priority == kInfoPriority);
  REQUIRE(reader.next(bytes));
  CHECK_FALSE(reader.entry().kernel);
  CHECK_FALSE(reader.entry().init);
  CHECK(reader.entry().kernel_us == -1);
}

TEST_CASE("escapes become characters, halves of pairs a replacement") {
  const auto entries = readAll(
      R"({"MESSAGE":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00|\ud83d|\ude00|\ud83d\ud83d\ude00"})"
      "\n");
  REQUIRE(entries.size() == 1);
  const std::string lost = "\xef\xbf\xbd";
  CHECK(entries[0].message == "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80|" + lost + "|" +
                                  lost + "|" + lost + "\xf0\x9f\x98\x80");
}

TEST_CASE("of a field that occurs more than once the first value counts") {
  CHECK(readAll(R"({"MESSAGE":["a","b"]})"
                "\n")[0]
            .message == "a");
  CHECK(readAll(R"({"MESSAGE":[null,"b",[99]]})"
                "\n")[0]
            .message == "b");
  CHECK(readAll(R"({"MESSAGE":[[97,98],"c",[100]]})"
                "\n")[0]
            .message == "ab");
  CHECK(readAll(R"({"MESSAGE":[],"PRIORITY":"1"})"
                "\n")[0]
            .priority == 1);
  CHECK(readAll(R"({"MESSAGE":"a","MESSAGE":"b"})"
                "\n")[0]
            .message == "a");
}

TEST_CASE("a line of a megabyte costs no more room than a short one") {
  JournalReader reader;
  const std::string text(1 << 20, 'x');
  std::string numbers = "120";
  for (int i = 0; i < 100'000; ++i) numbers += ",120";
  const auto entries = readAll(reader,
                               R"({"MESSAGE":")" + text + R"(","PRIORITY":"2"})" + "\n" +
                                   R"({"X":")" + text + R"(","MESSAGE":[)" + numbers + "]}\n" +
                                   R"({")" + text + R"(":"a","MESSAGE":"b"})" + "\n",
                               4096);
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].message == std::string(kMaxLogMessageBytes, 'x'));
  CHECK(entries[0].priority == 2);
  CHECK(entries[1].message == std::string(kMaxLogMessageBytes, 'x'));
  CHECK(entries[2].message == "b");
  CHECK(reader.faults() == 0);
}

TEST_CASE("a broken line is left out and counted, and the next one is read") {
  for (const char* broken : {"{",
                             "}",
                             "x",
                             "[]",
                             "null",
                             "{}x",
                             "{,}",
                             "{\"a\"}",
                             "{\"a\":}",
                             "{\"a\":1}",
                             "{\"a\":nul}",
                             "{\"a\":nulll}",
                             "{\"a\":true}",
                             "{\"a\":{}}",
                             "{\"a\":[[[1]]]}",
                             "{\"a\":[256]}",
                             "{\"a\":[1000]}",
                             "{\"a\":[-1]}",
                             "{\"a\":[1.5]}",
                             "{\"a\":[1,]}",
                             "{\"a\":[1 2]}",
                             "{\"a\":\"\\x\"}",
                             "{\"a\":\"\\u12g4\"}",
                             "{\"a\":\"b}",
                             "{\"a\":\"\x01\"}",
                             "{\"a\":\"b\",}",
                             "{\"a\":\"b\" \"c\":\"d\"}",
                             "-- No entries --",
                             "{\"MESSAGE\":\"cut of"}) {
    INFO(broken);
    JournalReader reader;
    const auto entries =
        readAll(reader, std::string(broken) + "\n{\"MESSAGE\":\"whole\"}\n", 1 << 20);
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].message == "whole");
    CHECK(reader.faults() == 1);
  }
}

TEST_CASE("blanks between the parts, as old programs write them, and empty lines do not matter") {
  const auto entries =
      readAll("\n{ \"MESSAGE\" : \"a\", \"PRIORITY\" : \"3\",\t\"X\" : [ 1, 2 ] }\r\n{}\n");
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].message == "a");
  CHECK(entries[0].priority == 3);
  CHECK(entries[1].message.empty());
}

TEST_CASE("what was begun is forgotten when another program goes on") {
  JournalReader reader;
  CHECK(readAll(reader, "{\"MESSAGE\":\"cut", 4096).empty());
  reader.reset();
  const auto entries = readAll(reader, "{\"MESSAGE\":\"whole\"}\n", 4096);
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].message == "whole");
  CHECK(reader.faults() == 0);
}

}  // namespace
}  // namespace virtseer::agent

#include "agent/sources/kernel_log.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <deque>
#include <string>

#include "tree.h"

namespace virtseer::agent {
namespace {

/// The kernel's side: what each read gives.
struct Ring {
  std::deque<std::string> reads;  ///< "EPIPE" stands for the error
  int skips = 0;
};

class FakeRecords : public KernelRecords {
 public:
  explicit FakeRecords(Ring& ring) : ring_(ring) {}

  ssize_t read(char* into, std::size_t room) override {
    if (ring_.reads.empty()) return -EAGAIN;
    const std::string next = ring_.reads.front();
    ring_.reads.pop_front();
    if (next == "EPIPE") return -EPIPE;
    REQUIRE(next.size() <= room);
    std::memcpy(into, next.data(), next.size());
    return static_cast<ssize_t>(next.size());
  }
  void toEnd() override {
    ring_.reads.clear();
    ++ring_.skips;
  }

 private:
  Ring& ring_;
};

TEST_CASE("a record tells priority, writer, number, time and message") {
  std::string text;
  const auto record = parseKernelRecord("6,339,5140900,-;NET: Registered family 10", text);
  REQUIRE(record);
  CHECK(record->priority == 6);
  CHECK(record->kernel);
  CHECK(record->sequence == 339);
  CHECK(record->stamp_us == 5140900);
  CHECK(record->message == "NET: Registered family 10");

  const auto program = parseKernelRecord("30,340,5690716,-,caller=T1;systemd[1]: a;b", text);
  REQUIRE(program);
  CHECK(program->priority == 6);
  CHECK_FALSE(program->kernel);
  CHECK(program->message == "systemd[1]: a;b");

  const auto escaped = parseKernelRecord("4,1,2,-;a\\x5cb\\xc3\\xa9\\xzz\\x", text);
  REQUIRE(escaped);
  CHECK(escaped->message == "a\\b\xc3\xa9\\xzz\\x");
}

TEST_CASE("what is no record is none") {
  std::string text;
  for (const char* line : {"", ";", "6,339,5140900,-", "6,339,5140900;a", "x,1,2,-;a", "6,,2,-;a",
                           "6,1,-2,-;a", "6,1,99999999999999999999,-;a"}) {
    INFO(line);
    CHECK_FALSE(parseKernelRecord(line, text));
  }
}

TEST_CASE("properties behind a record are passed over") {
  Ring ring{{"6,1,10,-;first\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n", "3,2,11,-;second\n"}};
  KernelLog log(std::make_unique<FakeRecords>(ring));
  CHECK(log.next()->message == "first");
  CHECK(log.next()->message == "second");
  CHECK_FALSE(log.next());
  CHECK(log.lost() == 0);
}

TEST_CASE("what the kernel overwrote before it was read is counted") {
  Ring ring{{"6,1,10,-;a\n", "EPIPE", "6,40,20,-;b\n"}};
  KernelLog log(std::make_unique<FakeRecords>(ring));
  CHECK(log.next()->sequence == 1);
  CHECK(log.next()->sequence == 40);
  CHECK(log.lost() == 38);
}

TEST_CASE("a writer that is always faster does not hold up the reading") {
  Ring ring{std::deque<std::string>(1000, "EPIPE")};
  KernelLog log(std::make_unique<FakeRecords>(ring));
  CHECK_FALSE(log.next());
  CHECK(ring.reads.size() > 900);
}

TEST_CASE("what is left out is counted once the next record is read") {
  Ring ring{{"6,1,10,-;a\n", "6,2,10,-;b\n"}};
  KernelLog log(std::make_unique<FakeRecords>(ring));
  log.next();
  log.skip();
  CHECK(ring.skips == 1);
  CHECK_FALSE(log.next());
  ring.reads.push_back("6,5,10,-;c\n");
  CHECK(log.next()->sequence == 5);
  CHECK(log.lost() == 3);
}

TEST_CASE("a recorded file is read like the device, across the ends of reads") {
  Tree tree;
  std::string content;
  for (int i = 0; i < 1000; ++i)
    content += "6," + std::to_string(i) + ",10,-;message " + std::to_string(i) + "\n A=b\n";
  content += "6,1000,10,-;" + std::string(20'000, 'x') + "\n6,1001,10,-;last\n";
  tree.write("kmsg", content);
  KernelLog log;
  REQUIRE(log.open(tree.root() + "/kmsg"));
  std::uint64_t next = 0;
  std::string last;
  while (const auto record = log.next()) {
    if (next < 1000) REQUIRE(record->sequence == next);
    ++next;
    last = record->message;
  }
  CHECK(last == "last");
}

TEST_CASE("a kernel log that cannot be opened tells why") {
  Tree tree;
  KernelLog log;
  const auto opened = log.open(tree.root() + "/kmsg");
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == tree.root() + "/kmsg: No such file or directory");
  CHECK_FALSE(log.next());
}

}  // namespace
}  // namespace virtseer::agent

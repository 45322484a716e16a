#include "agent/sources/ebpf_duty.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "agent/sources/ebpf_accounts.h"
#include "agent/sources/ebpf_loaded.h"
#include "agent/sources/ebpf_syscall_names.h"
#include "tree.h"

namespace virtseer::agent::ebpf {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr double kShare = 0.002;

TEST_CASE("what programs may run grows with time and shrinks with what they ran") {
  Duty duty(kShare, 100, 0.4, 0);
  CHECK(duty.runs() == 20'000);  // a second's worth to begin with
  duty.spend(0, 20'000, 0, 0);
  CHECK(duty.runs() == 0);
  duty.spend(kSecond, 0, 0, 0);
  CHECK(duty.runs() == 20'000);
  CHECK(duty.spentSeconds() == Approx(0.002));
}

TEST_CASE("what was overdrawn is paid back before anything runs again") {
  Duty duty(kShare, 100, 0.4, 0);
  duty.spend(0, 20'000, 100'000, 1e6);  // closed gate and detaching: 4 ms + 1 ms too much
  CHECK(duty.runs() == 0);
  duty.spend(2 * kSecond, 0, 0, 0);
  CHECK(duty.runs() == 0);
  CHECK_FALSE(duty.worthOpening());
  duty.spend(6 * kSecond, 0, 0, 0);
  CHECK(duty.worthOpening());
}

TEST_CASE("over any time programs cost no more than their share, whatever the rate") {
  for (const std::uint64_t rate : {10'000ull, 1'000'000ull, 50'000'000ull}) {
    Duty duty(kShare, 100, 0.4, 0);
    constexpr std::int64_t kStep = kSecond / 100;
    bool open = true;
    for (std::int64_t now = 0; now < 100 * kSecond; now += kStep) {
      const std::uint64_t wanted = rate / 100;
      const auto may = static_cast<std::uint64_t>(duty.runs());
      const bool closes = open && wanted > may;
      const bool opens = !open && duty.worthOpening();
      duty.spend(now, open ? std::min(wanted, may) : 0, closes ? 8000 : 0,
                 closes || opens ? 1e6 : 0);
      open = opens || (open && !closes);
    }
    CHECK(duty.spentSeconds() > 100 * kShare / 10);
    CHECK(duty.spentSeconds() <= 100 * kShare * 1.06);
  }
}

TEST_CASE("no more is saved up than a round's worth") {
  Duty duty(kShare, 100, 0.4, 0);
  duty.setRound(5 * kSecond);
  duty.spend(1000 * kSecond, 0, 0, 0);
  CHECK(duty.runs() == 100'000);
}

TEST_CASE("what one part cannot use another one may have") {
  Duty idle(kShare, 100, 0.4, 0), busy(kShare, 100, 0.4, 0);
  idle.spend(5 * kSecond, 0, 0, 0);
  CHECK(idle.takeSurplus() == Approx(kShare * 1e9));  // it began with a second's worth
  idle.spend(6 * kSecond, 0, 0, 0);
  busy.spend(0, 20'000, 0, 0);
  busy.spend(kSecond, 20'000, 0, 0);
  CHECK_FALSE(idle.isShort());
  CHECK(busy.isShort());
  CHECK(busy.takeSurplus() == 0);
  busy.receive(idle.takeSurplus());
  CHECK(busy.runs() == 20'000);
  CHECK(idle.takeSurplus() == 0);
  busy.receive(1e12);
  CHECK(busy.runs() == 300'000);
  busy.spend(2 * kSecond, 0, 0, 0);
  CHECK(busy.runs() == 300'000);  // what was received is kept, but nothing is added
}

TEST_CASE("counts stand for the time that was not watched") {
  Duty duty(kShare, 100, 0.4, 0);
  duty.opened(kSecond);
  duty.closed(2 * kSecond);
  const auto taken = duty.take(5 * kSecond);
  REQUIRE(taken);
  CHECK(taken->open_seconds == Approx(1));
  CHECK(taken->factor == Approx(5));
  CHECK(duty.openRatio() == Approx(0.2));
}

TEST_CASE("a round in which nothing was watched counts to the next one") {
  Duty duty(kShare, 100, 0.4, 0);
  CHECK_FALSE(duty.take(5 * kSecond));
  duty.opened(9 * kSecond);
  const auto taken = duty.take(10 * kSecond);
  REQUIRE(taken);
  CHECK(taken->factor == Approx(10));
  CHECK(duty.take(11 * kSecond)->factor == Approx(1));
}

TEST_CASE("a gate that few come to is left as it is, one that many come to is detached") {
  Duty duty(kShare, 100, 0.4, 0);
  duty.spend(0, 0, 0, 1e6);
  CHECK_FALSE(duty.worthDetaching(10'000));
  CHECK(duty.worthDetaching(20'000));
}

TEST_CASE("half of the events lie below the median") {
  std::array<std::uint64_t, bpf::BUCKETS> counts{};
  counts[10] = 100;  // 512 to 1024 microseconds
  CHECK(quantile(counts, 0.5) == Approx(0.000768));
  counts[4] = 900;  // 8 to 16
  CHECK(quantile(counts, 0.5) < 16e-6);
  CHECK(quantile(counts, 0.95) == Approx(0.000768));
}

TEST_CASE("a histogram has cumulative columns only where events came") {
  Columns columns;
  Row row;
  Scratch scratch;
  ReportBuilder report;
  Round round{columns, row, scratch, report, 0};
  Histogram histogram("guest_x_seconds", {});
  histogram.tell(round);
  CHECK(columns.size() == 0);
  std::array<std::uint64_t, bpf::BUCKETS> counts{};
  counts[4] = 3;
  counts[5] = 2;
  histogram.add(counts, 0.0001, 2);
  histogram.tell(round);
  std::map<std::string, double> told;
  for (std::size_t i = 0; i < columns.size(); ++i)
    told[keyOf(columns.names()[i])] = row.values(columns.size())[i];
  CHECK(told == std::map<std::string, double>{{"guest_x_seconds_bucket{le=0.000008}", 0},
                                              {"guest_x_seconds_bucket{le=0.000016}", 6},
                                              {"guest_x_seconds_bucket{le=0.000032}", 10},
                                              {"guest_x_seconds_bucket{le=+Inf}", 10},
                                              {"guest_x_seconds_count", 10},
                                              {"guest_x_seconds_sum", 0}});
  for (const auto& column : columns.names()) CHECK(column.kind == echo::Kind::counter);
}

TEST_CASE("rates are told with three digits") {
  CHECK(rounded(1234567.8) == 1234568);
  CHECK(rounded(12.3456) == 12.3);
  CHECK(rounded(0.00123456) == Approx(0.00123));
  CHECK(rounded(0) == 0);
}

TEST_CASE("system calls have names and classes") {
  CHECK(callName(0) == "read");
  CHECK(callName(39) == "getpid");
  CHECK(callName(4000) == "syscall_4000");
  CHECK(callName(bpf::FOREIGN_CALL) == "other_abi");
  CHECK(classOf(0) == CallClass::read);
  CHECK(classOf(42) == CallClass::network);
  CHECK(classOf(257) == CallClass::file);
  CHECK(classOf(4000) == CallClass::other);
  CHECK(errorName(2) == "ENOENT");
}

TEST_CASE("a function is found in a program, and nothing in files that are none") {
  std::string reason;
  CHECK(functionOffset("/proc/self/exe", "main", reason) != 0);
  CHECK(functionOffset("/proc/self/exe", "no_such_function", reason) == 0);
  CHECK(reason == "/proc/self/exe has no function no_such_function");
  CHECK(functionOffset("/nowhere", "main", reason) == 0);
  CHECK(reason == "/nowhere cannot be read");

  Tree tree;
  tree.write("text", "no program at all, but long enough to hold the head of one, and then some");
  CHECK(functionOffset(tree.root() + "/text", "main", reason) == 0);
  std::ifstream self("/proc/self/exe", std::ios::binary);
  std::string bytes(4096, 0);
  self.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  tree.write("cut", bytes);
  CHECK(functionOffset(tree.root() + "/cut", "main", reason) == 0);
  for (std::size_t i = 16; i < 64; ++i) bytes[i] = static_cast<char>(0xff);
  tree.write("lies", bytes);
  CHECK(functionOffset(tree.root() + "/lies", "main", reason) == 0);
}

}  // namespace
}  // namespace virtseer::agent::ebpf

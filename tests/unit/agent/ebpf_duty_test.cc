#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "agent/sources/ebpf_accounts.h"
#include "agent/sources/ebpf_tally.h"
#include "ebpf/duty.h"
#include "ebpf/loaded.h"
#include "ebpf/syscall_names.h"
#include "tree.h"

namespace virtseer::agent::ebpf {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr double kShare = 0.002;
constexpr double kSavedNs = 3e6;
constexpr Duty::Terms kTerms{kShare, kSavedNs, 100, 40};

TEST_CASE("what programs may run grows with time and shrinks with what they ran") {
  Duty duty(kTerms, 0);
  CHECK(duty.runs() == 30'000);  // what can be saved up, to begin with
  duty.spend(0, 30'000, 0, 0);
  CHECK(duty.runs() == 0);
  duty.spend(kSecond, 0, 0, 0);
  CHECK(duty.runs() == 20'000);
  CHECK(duty.spentSeconds() == Approx(0.003));
}

TEST_CASE("what was overdrawn is paid back before anything runs again") {
  Duty duty(kTerms, 0);
  duty.spend(0, 30'000, 100'000, 1e6);  // closed gate and detaching: 4 ms + 1 ms too much
  CHECK(duty.runs() == 0);
  duty.spend(2 * kSecond, 0, 0, 0);
  CHECK(duty.runs() == 0);
  CHECK_FALSE(duty.worthOpening());
  duty.spend(6 * kSecond, 0, 0, 0);
  CHECK(duty.worthOpening());
}

TEST_CASE(
    "over any five seconds programs cost what these earn and what was saved up, whatever the "
    "rate") {
  constexpr std::int64_t kStep = kSecond / 100;
  constexpr double kToggleNs = 2e5;
  constexpr std::uint64_t kRefused = 4000;
  const double closing_ns = kRefused * 40 + 2 * kToggleNs;
  for (const std::uint64_t rate : {5'000ull, 10'000ull, 100'000ull, 1'000'000ull, 50'000'000ull}) {
    INFO(rate);
    Duty duty(kTerms, 0);
    duty.opened(0);
    std::vector<double> spent;
    for (std::int64_t now = 0; now < 100 * kSecond; now += kStep) {
      if (!duty.isOpen() && duty.worthOpening()) {
        duty.opened(now);
        duty.spend(now, 0, 0, kToggleNs);
      }
      const std::uint64_t wanted = now < 20 * kSecond ? 0 : rate / 100;  // calm comes before
      const auto may = static_cast<std::uint64_t>(duty.runs());
      if (duty.isOpen() && wanted > may) {
        duty.spend(now, may, kRefused, kToggleNs);
        duty.closed(now);
      } else {
        duty.spend(now, duty.isOpen() ? wanted : 0, 0, 0);
      }
      spent.push_back(duty.spentSeconds() * 1e9);
    }
    CHECK(spent.back() > std::min(kShare * 1e9, static_cast<double>(rate) * 100) * 80 / 2);
    for (std::size_t i = 500; i < spent.size(); ++i)
      REQUIRE(spent[i] - spent[i - 500] <= kShare * 5e9 + kSavedNs + closing_ns);
  }
}

TEST_CASE("what it costs to close a gate is set aside once that is known") {
  Duty duty(kTerms, 0);
  duty.opened(0);
  CHECK(duty.runs() == 30'000);
  duty.spend(0, 30'000, 10'000, 6e5);
  duty.closed(0);
  duty.spend(100 * kSecond, 0, 0, 0);
  duty.opened(100 * kSecond);
  CHECK(duty.runs() == 20'000);
}

TEST_CASE("no more is saved up than may be") {
  Duty duty(kTerms, 0);
  duty.spend(1000 * kSecond, 0, 0, 0);
  CHECK(duty.runs() == 30'000);
}

TEST_CASE("what one part cannot use another one may have") {
  Duty idle(kTerms, 0), busy(kTerms, 0);
  idle.spend(5 * kSecond, 0, 0, 0);
  CHECK(idle.takeSurplus() == Approx(kShare * 5e9));
  idle.spend(6 * kSecond, 0, 0, 0);
  busy.spend(0, 30'000, 0, 0);
  busy.spend(kSecond, 20'000, 0, 0);
  CHECK_FALSE(idle.isShort());
  CHECK(busy.isShort());
  CHECK(busy.takeSurplus() == 0);
  busy.receive(idle.takeSurplus());
  CHECK(busy.runs() == 20'000);
  CHECK(idle.takeSurplus() == 0);
  busy.receive(1e12);
  CHECK(busy.runs() == 30'000);
}

TEST_CASE("counts stand for the time before, in which nothing was counted") {
  Duty duty(kTerms, 0);
  CHECK_FALSE(duty.take(kSecond / 2));
  CHECK(duty.opened(kSecond) == kSecond);
  const auto first = duty.closed(2 * kSecond);
  CHECK(first.seconds == Approx(2));
  CHECK(first.factor == Approx(2));
  CHECK_FALSE(duty.take(4 * kSecond));
  CHECK(duty.opened(5 * kSecond) == 3 * kSecond);
  const auto second = duty.take(6 * kSecond);
  REQUIRE(second);
  CHECK(second->seconds == Approx(4));
  CHECK(second->factor == Approx(4));
  const auto third = duty.take(8 * kSecond);
  REQUIRE(third);
  CHECK(third->seconds == Approx(2));
  CHECK(third->factor == Approx(1));
  CHECK(duty.takeOpenRatio(8 * kSecond) == Approx(0.5));
  duty.take(9 * kSecond);
  CHECK(duty.takeOpenRatio(9 * kSecond) == Approx(1));
}

TEST_CASE("of one key there is one row, and of very many keys the busiest are kept") {
  Tally<bpf::library_key> tally;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    tally.add({"a", 0, i}, 1);
    tally.add({"b", 0, 7}, 0.5, 0.25);
  }
  const auto busiest = tally.busiest(2);
  REQUIRE(busiest.size() == 2);
  CHECK(busiest[0].key.function == 7);
  CHECK(busiest[0].count == 10'000);
  CHECK(busiest[0].errors == 5'000);
  CHECK(busiest[1].count == 1);
  tally.clear();
  CHECK(tally.busiest(2).empty());
}

TEST_CASE("a gate that few come to is left as it is, one that many come to is detached") {
  Duty duty(kTerms, 0);
  duty.spend(0, 0, 0, 1e6);
  CHECK_FALSE(duty.worthDetaching(10'000, kSecond));
  CHECK(duty.worthDetaching(20'000, kSecond));
  CHECK(duty.worthDetaching(200, kSecond / 1000));  // soon they will be too many
}

TEST_CASE("half of the events lie below the median") {
  ScaledBuckets counts{};
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
  Histogram histogram("guest_x_total", "guest_x_seconds_total", {});
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
  CHECK(told == std::map<std::string, double>{{"guest_x_total{up_to_seconds=0.000008}", 0},
                                              {"guest_x_total{up_to_seconds=0.000016}", 6},
                                              {"guest_x_total{up_to_seconds=0.000032}", 10},
                                              {"guest_x_total{up_to_seconds=+Inf}", 10},
                                              {"guest_x_seconds_total", 0}});
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

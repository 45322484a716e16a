#include "collect/libvirt_collector.h"

#include <algorithm>
#include <cmath>

#include "unit/collect/bench.h"

using namespace virtseer;
using namespace virtseer::collect;
using platform::FakeEnvironment;

namespace {

const StreamId kStream{kVm, Source::libvirt};
const SeriesName kCpu{"libvirt_domain_info_cpu_time_seconds_total", {}, Kind::counter};

struct Bench : LoopBench {
  ManualClock clock{kStart};
  FakeEnvironment environment{loop.get_executor()};
  RecordedRows rows;
  std::vector<Event> events;
  std::vector<std::vector<Vm>> lists;
  std::vector<Uuid> running;
  LibvirtCollector collector;

  explicit Bench(LibvirtCollectorOptions options = quick())
      : collector(loop.get_executor(), clock, environment, options, rows.sink(),
                  {.report = [this](Event event) { events.push_back(std::move(event)); },
                   .listed = [this](const std::vector<Vm>& vms) { lists.push_back(vms); },
                   .running = [this](Uuid vm) { running.push_back(vm); },
                   .notice = {}}) {
    environment.setVm(runningVm(kVm, "web"));
    environment.setStatistics({kVm, false, {{platform::intern(kCpu), 12.5}}});
  }
  ~Bench() {
    end();
    CHECK(failures.empty());
  }
  static LibvirtCollectorOptions quick() {
    return {.interval = Millis(5),
            .relist = Millis(60'000),
            .settle = Millis(1),
            .retry = Millis(1),
            .balloon_period_s = 5};
  }
  void start() {
    collector.start(tasks);
    REQUIRE(until([&] { return !lists.empty(); }));
  }
  std::size_t count(const std::string& kind) const {
    return static_cast<std::size_t>(std::count_if(events.begin(), events.end(),
                                                  [&](const Event& e) { return e.kind == kind; }));
  }
};

}  // namespace

TEST_CASE("statistics become rows of the VM's stream, stamped with the wall clock") {
  Bench bench;
  bench.start();
  REQUIRE(bench.until([&] { return bench.rows.rows(kStream).size() >= 3; }));
  CHECK(bench.rows.last(kStream, kCpu.metric) == 12.5);
  CHECK(bench.rows.rows(kStream).front().time == kStart);
  CHECK(bench.rows.declarations == 1);
  CHECK(bench.count("libvirt.connected") == 1);
}

TEST_CASE("values that came by another way join the VM's next row, and only that one") {
  Bench bench;
  bench.start();
  const SeriesName rate{"libvirt_domain_dirty_rate_bytes_per_second", {}, Kind::gauge};
  const NamedValue older{platform::intern(rate), 6}, value{platform::intern(rate), 7};
  bench.collector.add(kVm, {&older, 1});
  bench.collector.add(kVm, {&value, 1});
  bench.collector.add(kOther, {&value, 1});  // nobody knows it
  REQUIRE(bench.until([&] { return bench.rows.last(kStream, rate.metric) == 7; }));
  const auto rows = bench.rows.rows(kStream).size();
  REQUIRE(bench.until([&] { return bench.rows.rows(kStream).size() >= rows + 2; }));
  CHECK(std::isnan(bench.rows.last(kStream, rate.metric)));
  CHECK(bench.rows.rows({kOther, Source::libvirt}).empty());
}

TEST_CASE("values that wait for a row do not outlive the VM's run, nor the connection") {
  Bench bench;
  bench.start();
  const SeriesName rate{"libvirt_domain_dirty_rate_bytes_per_second", {}, Kind::gauge};
  const NamedValue value{platform::intern(rate), 7};
  const auto rows = [&] { return bench.rows.rows(kStream).size(); };
  const auto taken = [&] {
    const auto& names = bench.rows.streams[kStream].names;
    return std::ranges::find(names, rate) != names.end();
  };
  REQUIRE(bench.until([&] { return rows() >= 1; }));
  bench.environment.setStatistics({kVm, true, {}});  // its rows wait
  REQUIRE(bench.until([&] { return bench.collector.timedOut(kVm); }));
  const auto before = rows();
  bench.collector.add(kVm, {&value, 1});
  SECTION("the VM is shut off and started again") {
    bench.environment.setState(kVm, VmState::shutoff, "stopped", "shutdown");
    REQUIRE(bench.until([&] { return bench.collector.vms().at(0).state == VmState::shutoff; }));
    bench.collector.add(kVm, {&value, 1});  // a measure that ends late
    bench.environment.setState(kVm, VmState::running, "started", "booted");
  }
  SECTION("libvirt is away for a while") {
    bench.environment.disconnect("libvirtd stopped");
    bench.clock.advance(Millis(3'600'000));
    bench.environment.reconnect();
  }
  bench.environment.setStatistics({kVm, false, {{platform::intern(kCpu), 13}}});
  REQUIRE(bench.until([&] { return rows() > before; }));
  CHECK_FALSE(taken());
}

TEST_CASE("a VM that is busy keeps its mark until it answers again") {
  Bench bench;
  bench.environment.setStatistics({kVm, true, {}});
  bench.start();
  REQUIRE(bench.until([&] { return bench.collector.timedOut(kVm); }));
  CHECK(bench.rows.rows(kStream).empty());
  bench.environment.setStatistics({kVm, false, {{platform::intern(kCpu), 13}}});
  REQUIRE(bench.until([&] { return !bench.collector.timedOut(kVm); }));
  CHECK(bench.rows.last(kStream, kCpu.metric) == 13);
}

TEST_CASE("a call that fails marks every VM that runs") {
  Bench bench;
  bench.start();
  bench.environment.failNext(FakeEnvironment::Call::statistics, {Code::timeout, "slow"}, 1);
  REQUIRE(bench.until([&] { return bench.collector.timedOut(kVm); }));
  REQUIRE(bench.until([&] { return !bench.collector.timedOut(kVm); }));
  CHECK(bench.collector.counts().missed_beats >= 1);
}

TEST_CASE("a burst of notices leads to one new list") {
  Bench bench;
  bench.start();
  REQUIRE(bench.until([&] { return bench.environment.count("setBalloonPeriod") == 0; }));
  const auto before = bench.environment.count("vms");
  for (int i = 0; i < 10; ++i) {
    bench.environment.setState(kVm, VmState::paused, "suspended", "paused");
    bench.environment.setState(kVm, VmState::running, "resumed", "unpaused");
  }
  REQUIRE(bench.until([&] { return bench.lists.size() >= 2; }));
  CHECK(bench.environment.count("vms") == before + 1);
  CHECK(bench.count("vm.paused") == 10);
  CHECK(bench.running.size() == 10);
}

TEST_CASE("a VM that appears is listed and reported") {
  Bench bench;
  bench.start();
  bench.environment.setVm(runningVm(kOther, "db"));
  bench.environment.notify(
      {platform::Notice::Kind::vm_lifecycle, kOther, "db", "started", "booted"});
  REQUIRE(bench.until([&] { return bench.lists.back().size() == 2; }));
  CHECK(bench.count("vm.started") == 1);
  CHECK(bench.collector.vms().size() == 2);
}

TEST_CASE("a connection that is lost leaves the last list and is listed anew when it is back") {
  Bench bench;
  bench.start();
  bench.environment.disconnect("libvirtd stopped");
  REQUIRE(bench.until([&] { return bench.collector.timedOut(kVm); }));
  CHECK(bench.collector.vms().size() == 1);
  CHECK(bench.count("libvirt.lost") == 1);
  bench.environment.removeVm(kVm);
  bench.environment.reconnect();
  REQUIRE(bench.until([&] { return bench.collector.vms().empty(); }));
  CHECK(bench.count("libvirt.connected") == 2);
  CHECK(bench.count("vm.stopped") == 1);
}

TEST_CASE("a list that fails is asked for again") {
  Bench bench;
  bench.environment.failNext(FakeEnvironment::Call::vms, {Code::timeout, "slow"}, 2);
  bench.start();
  CHECK(bench.environment.count("vms") == 3);
}

TEST_CASE("the balloon's period is set once where it is 0 and left alone elsewhere") {
  Bench bench;
  auto vm = runningVm(kVm, "web");
  vm.balloon_period_s = 0;
  bench.environment.setVm(vm);
  auto other = runningVm(kOther, "db");
  other.balloon_period_s = 10;
  bench.environment.setVm(other);
  bench.environment.failNext(FakeEnvironment::Call::set_balloon_period, {Code::refused, "no"}, 1);
  bench.start();
  REQUIRE(bench.until([&] { return bench.count("vm.balloon_period_refused") == 1; }));
  bench.environment.notify({platform::Notice::Kind::vm_changed, kVm, "web", "", ""});
  REQUIRE(bench.until([&] { return bench.lists.size() >= 2; }));
  CHECK(bench.environment.count("setBalloonPeriod") == 1);

  bench.environment.setState(kVm, VmState::running, "started", "booted");
  REQUIRE(bench.until([&] { return bench.count("vm.balloon_period_set") == 1; }));
  CHECK(bench.environment.count("setBalloonPeriod " + kVm.text() + " 5s") == 2);
  CHECK(bench.environment.count("setBalloonPeriod " + kOther.text()) == 0);
}

TEST_CASE("a store that was swapped gets its columns declared again") {
  Bench bench;
  bench.start();
  REQUIRE(bench.until([&] { return bench.rows.rows(kStream).size() >= 1; }));
  bench.rows.streams.clear();
  bench.collector.storeSwapped();
  REQUIRE(bench.until([&] { return bench.rows.rows(kStream).size() >= 1; }));
  CHECK(bench.rows.last(kStream, kCpu.metric) == 12.5);
}

TEST_CASE("a driver without bulk statistics is asked for figures all the same") {
  Bench bench;
  bench.environment.setCapabilities({.statistics = false, .channels = false, .notices = true});
  bench.start();
  REQUIRE(bench.until([&] { return !bench.rows.rows(kStream).empty(); }));
  CHECK(bench.rows.last(kStream, kCpu.metric) == 12.5);
}

TEST_CASE("while the wall clock is set back no row is stored, and it is said once per step") {
  Bench bench;
  bench.start();
  for (std::size_t step = 1; step <= 2; ++step) {
    bench.clock.advance(Millis(120'000));
    const auto now = bench.clock.wall();
    REQUIRE(bench.until([&] {
      return !bench.rows.rows(kStream).empty() && bench.rows.rows(kStream).back().time >= now;
    }));
    const auto late = bench.collector.counts().late_rows;
    const auto before = bench.rows.rows(kStream).size();
    bench.clock.stepWall(Millis(-3'600'000));
    REQUIRE(bench.until([&] { return bench.collector.counts().late_rows >= late + 3; }));
    CHECK(bench.rows.rows(kStream).size() == before);
    CHECK(bench.count("clock.stepped_back") == step);
    bench.clock.stepWall(Millis(3'700'000));
    REQUIRE(bench.until([&] { return bench.rows.rows(kStream).size() > before; }));
  }
}

TEST_CASE("a wall clock that was set back a little stores on, a millisecond after the last row") {
  Bench bench;
  bench.start();
  REQUIRE(bench.until([&] { return !bench.rows.rows(kStream).empty(); }));
  const auto before = bench.rows.rows(kStream).size();
  bench.clock.stepWall(Millis(-500));
  REQUIRE(bench.until([&] { return bench.rows.rows(kStream).size() > before; }));
  const auto& rows = bench.rows.rows(kStream);
  CHECK(rows[before].time == rows[before - 1].time + Millis(1));
  CHECK(bench.collector.counts().late_rows == 0);
  CHECK(bench.count("clock.stepped_back") == 0);
}

TEST_CASE("what the store did not take is counted") {
  Bench bench;
  SECTION("for want of room") {
    bench.rows.fate = store::Appended::overflow;
    bench.start();
    REQUIRE(bench.until([&] { return bench.collector.counts().overflow_rows >= 2; }));
  }
  SECTION("for want of columns, also of VMs that are gone") {
    bench.rows.columns_at_most = 0;
    bench.start();
    REQUIRE(bench.until([&] { return bench.collector.counts().refused_values >= 2; }));
    const auto before = bench.collector.counts().refused_values;
    bench.environment.removeVm(kVm);
    bench.environment.notify(
        {platform::Notice::Kind::vm_lifecycle, kVm, "web", "undefined", "removed"});
    REQUIRE(bench.until([&] { return bench.collector.vms().empty(); }));
    CHECK(bench.collector.counts().refused_values >= before);
  }
}

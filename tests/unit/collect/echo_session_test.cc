#include "collect/echo_session.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>

#include "collect/catalogue_rules.h"

using namespace virtseer;
using namespace virtseer::collect;

namespace {

/// Adds nothing to the patience of its greeting.
constexpr std::uint64_t kPlainNonce = 640;

/// A session that was greeted, and an agent written frame by frame.
struct Talk {
  ManualClock clock{Timestamp(Millis(1'700'000'000'000))};
  EchoSession session;
  std::uint64_t nonce = 5;

  explicit Talk(EchoLimits limits = {}, EchoPosition position = {}) : session(limits, position) {
    session.start(nonce, 0, 0, {}, clock.mono());
  }

  std::vector<EchoOutcome> feed(std::string_view bytes) {
    return session.receive(bytes, clock.wall(), clock.mono());
  }
  echo::Hello hello(std::uint64_t first = 1, std::uint64_t next = 1) const {
    echo::Hello out;
    out.nonce = nonce;
    out.agent_version = "1";
    out.epoch = 9;
    out.first_sequence = first;
    out.next_sequence = next;
    out.mono_ms = 50'000;
    out.interval_ms = 5000;
    return out;
  }
  std::vector<EchoOutcome> open(std::uint64_t first = 1, std::uint64_t next = 1) {
    auto out = feed(echo::encode(hello(first, next)));
    feed(echo::encode(echo::Catalogue{0, {{"guest_ticks_total", {}, Kind::counter}}}));
    return out;
  }
  std::vector<EchoOutcome> echo(std::uint64_t sequence, std::vector<double> values = {1},
                                std::int64_t mono_ms = 50'000) {
    return feed(echo::encode(echo::Echo{sequence, mono_ms, std::move(values)}));
  }
};

template <class T>
const T* only(const std::vector<EchoOutcome>& outcomes) {
  if (outcomes.size() != 1) return nullptr;
  return std::get_if<T>(&outcomes.front());
}

}  // namespace

TEST_CASE("an echo becomes a row with its run and number in front") {
  Talk talk;
  REQUIRE(only<EchoConnected>(talk.open()));
  const auto outcomes = talk.echo(1, {42});
  const auto* row = only<EchoRow>(outcomes);
  REQUIRE(row);
  CHECK(row->values == std::vector<double>{9, 1, 42});
  CHECK(row->time == talk.clock.wall());
  CHECK_FALSE(row->replayed);
  CHECK(talk.session.columns()[0].metric == "echo_epoch");
  CHECK(talk.session.columns()[2].metric == "guest_ticks_total");
}

TEST_CASE("the run and number that an agent writes into its own columns are not believed") {
  Talk talk;
  talk.feed(echo::encode(talk.hello()));
  talk.feed(echo::encode(echo::Catalogue{0,
                                         {{"echo_epoch", {}, Kind::gauge},
                                          {"echo_sequence", {}, Kind::gauge},
                                          {"guest_x", {}, Kind::gauge}}}));
  const auto outcomes = talk.echo(1, {1234, 5678, 3});
  const auto* row = only<EchoRow>(outcomes);
  REQUIRE(row);
  CHECK(row->values == std::vector<double>{9, 1, 3});
  CHECK(talk.session.columns().size() == 3);
}

TEST_CASE("nothing is taken before the hello with the right nonce") {
  Talk talk;
  auto wrong = talk.hello();
  wrong.nonce = 4;
  CHECK(talk.feed(echo::encode(wrong)).empty());
  CHECK(talk.feed(echo::encode(echo::Catalogue{0, {{"guest_a", {}, Kind::gauge}}})).empty());
  CHECK(talk.echo(1).empty());
  CHECK(talk.feed("garbage that an earlier reader left").empty());
  CHECK(talk.session.counters().stale == 3);
  CHECK(talk.session.counters().faults == 0);
  CHECK(only<EchoConnected>(talk.open()));
}

TEST_CASE("another protocol version is refused with the reason") {
  Talk talk;
  auto hello = talk.hello();
  hello.protocol = 2;
  const auto outcomes = talk.feed(echo::encode(hello));
  const auto* close = only<EchoClose>(outcomes);
  REQUIRE(close);
  CHECK(close->refused);
  CHECK(close->reason == "the agent speaks echo protocol 2, this daemon 1: update the daemon");
  CHECK(talk.echo(1).empty());
}

TEST_CASE("metrics of the hypervisor or the host cannot come from a guest") {
  for (const auto* metric :
       {"libvirt_domain_info_cpu_time_seconds_total", "host_load1", "virtseer_up", "up"}) {
    Talk talk;
    talk.feed(echo::encode(talk.hello()));
    CHECK(talk.feed(echo::encode(echo::Catalogue{0, {{metric, {}, Kind::gauge}}})).empty());
    CHECK(talk.session.counters().faults == 1);
    CHECK(talk.session.columns().size() == 2);
  }
}

TEST_CASE("a label that says whose series it is cannot come from a guest") {
  CHECK_FALSE(refusal(SeriesName{"app_pg_up", {{"endpoint", "pg"}}, Kind::gauge}));
  CHECK(refusal(SeriesName{"application_up", {}, Kind::gauge}));
  CHECK(refusal(SeriesName{"guest_a", {{"vm", "other"}}, Kind::gauge}));
  CHECK(refusal(SeriesName{"guest_a", {{"uuid", "0"}}, Kind::gauge}));
  CHECK(refusal(SeriesName{"guest_a", {{"domain", "other"}}, Kind::gauge}));
  CHECK(refusal(SeriesName{"guest_a", {{"host", "other"}}, Kind::gauge}));
  CHECK(refusal(SeriesName{"guest_a", {{"__name__", "x"}}, Kind::gauge}));
  CHECK_FALSE(refusal(SeriesName{"guest_a", {{"device", "vda"}}, Kind::gauge}));
}

TEST_CASE("a catalogue can be repeated but renames, gaps and doubles are faults") {
  Talk talk;
  talk.open();
  const auto faults = [&] { return talk.session.counters().faults; };
  talk.feed(echo::encode(echo::Catalogue{
      0, {{"guest_ticks_total", {}, Kind::counter}, {"guest_b", {}, Kind::gauge}}}));
  CHECK(faults() == 0);
  CHECK(talk.session.columns().size() == 4);
  talk.feed(echo::encode(echo::Catalogue{1, {{"guest_c", {}, Kind::gauge}}}));
  CHECK(faults() == 1);
  talk.feed(echo::encode(echo::Catalogue{7, {{"guest_d", {}, Kind::gauge}}}));
  CHECK(faults() == 2);
  talk.feed(echo::encode(echo::Catalogue{2, {{"guest_b", {}, Kind::gauge}}}));
  CHECK(faults() == 3);
  CHECK(talk.session.columns().size() == 4);
}

TEST_CASE("an echo with values beyond the catalogue or out of order stores nothing") {
  Talk talk;
  talk.open();
  CHECK(talk.echo(1, {1, 2}).empty());
  CHECK(talk.session.counters().faults == 1);
  CHECK(only<EchoRow>(talk.echo(2)));
  CHECK(talk.echo(2).empty());
  CHECK(talk.echo(1).empty());
  CHECK(talk.session.counters().faults == 3);
  CHECK(talk.session.counters().taken == 1);
}

TEST_CASE("an infinite value is missing") {
  Talk talk;
  talk.open();
  // An encoder of ours never writes an infinity; a hostile one can: [1, 0, [+inf]].
  std::string frame;
  echo::appendFrame(frame, echo::FrameType::echo, [](std::string& body) {
    body += std::string("\x83\x01\x00\x81\xf9\x7c\x00", 7);
  });
  const auto outcomes = talk.feed(frame);
  const auto* row = only<EchoRow>(outcomes);
  REQUIRE(row);
  CHECK(std::isnan(row->values.at(2)));
}

TEST_CASE("an echo before any catalogue is a fault") {
  Talk talk;
  talk.feed(echo::encode(talk.hello()));
  CHECK(talk.echo(1).empty());
  CHECK(talk.session.counters().faults == 1);
}

TEST_CASE("a link is closed after as many faulty frames as are allowed") {
  Talk talk({.max_faults = 3});
  talk.open();
  talk.feed("garbage one");
  CHECK(talk.echo(1, {1, 2, 3}).empty());
  const auto outcomes = talk.feed(echo::encode(echo::Ack{9, 1}));
  const auto* close = only<EchoClose>(outcomes);
  REQUIRE(close);
  CHECK(close->reason == "3 faulty frames, the last: a frame that only a daemon sends");
  CHECK_FALSE(close->refused);
  CHECK(talk.echo(2).empty());
}

TEST_CASE("more frames than allowed on average close the link, a burst does not") {
  Talk talk({.max_frames_per_second = 10});
  talk.open();
  std::uint64_t sequence = 0;
  for (int i = 0; i < 15; ++i) REQUIRE(only<EchoRow>(talk.echo(++sequence)));
  for (int second = 0; second < 5; ++second) {
    talk.clock.advance(Millis(1000));
    for (int i = 0; i < 10; ++i) REQUIRE(only<EchoRow>(talk.echo(++sequence)));
  }
  std::vector<EchoOutcome> last;
  for (int i = 0; i < 30 && !only<EchoClose>(last); ++i) last = talk.echo(++sequence);
  REQUIRE(only<EchoClose>(last));
  CHECK(only<EchoClose>(last)->reason == "the guest sends more than 10 frames per second");
}

TEST_CASE("more bytes than a replay needs close the link even before a hello") {
  Talk talk({.max_replay_bytes = 100'000});
  const std::string garbage(4096, 'x');
  std::vector<EchoOutcome> last;
  for (int i = 0; i < 30 && last.empty(); ++i) last = talk.feed(garbage);
  REQUIRE(only<EchoClose>(last));
}

TEST_CASE("replayed echoes are stamped with when they were made, never before what is stored") {
  EchoPosition position{.epoch = 9, .sequence = 1, .dropped = 0, .asked = 0, .last = std::nullopt};
  position.last = Timestamp(Millis(1'700'000'000'000)) - Millis(9000);
  Talk talk({}, position);
  talk.open(1, 5);
  const auto arrival = talk.clock.wall();
  CHECK(talk.echo(1, {1}, 20'000).empty());
  CHECK(talk.session.counters().duplicates == 1);
  CHECK(only<EchoRow>(talk.echo(2, {1}, 40'000))->time == *position.last + Millis(1));
  CHECK(only<EchoRow>(talk.echo(3, {1}, 45'000))->time == arrival - Millis(5000));
  CHECK(only<EchoRow>(talk.echo(4, {1}, 50'000))->time == arrival);
  talk.clock.advance(Millis(5000));
  CHECK(only<EchoRow>(talk.echo(5, {1}, 99'999'999))->time == talk.clock.wall());
}

TEST_CASE("the wildest guest clocks give times that rise and lie within a week") {
  const auto wild = {std::numeric_limits<std::int64_t>::min(),
                     std::numeric_limits<std::int64_t>::max(), std::int64_t{0}, std::int64_t{-1}};
  for (const auto hello_ms : wild) {
    Talk talk;
    auto hello = talk.hello(1, 9);
    hello.mono_ms = hello_ms;
    talk.feed(echo::encode(hello));
    talk.feed(echo::encode(echo::Catalogue{0, {{"guest_a", {}, Kind::gauge}}}));
    std::optional<Timestamp> last;
    std::uint64_t sequence = 0;
    for (const auto echo_ms : wild) {
      const auto outcomes = talk.echo(++sequence, {1}, echo_ms);
      const auto* row = only<EchoRow>(outcomes);
      REQUIRE(row);
      CHECK(row->time <= talk.clock.wall());
      CHECK(row->time >= talk.clock.wall() - EchoSession::kMaxAge);
      if (last) CHECK(row->time > *last);
      last = row->time;
    }
  }
}

TEST_CASE("a wall clock that was set back far stores nothing in the future") {
  Talk talk;
  talk.open();
  REQUIRE(only<EchoRow>(talk.echo(1)));
  const auto taken = talk.clock.wall();
  talk.clock.stepWall(Millis(-3'600'000));
  const auto outcomes = talk.echo(2);
  REQUIRE(only<EchoTooEarly>(outcomes));
  CHECK(only<EchoTooEarly>(outcomes)->last == taken);
  CHECK(talk.echo(3).empty());
  CHECK(talk.session.counters().lost == 0);
  CHECK(talk.session.position().sequence == 1);

  // What was not taken is taken once the clock has caught up.
  Talk later({}, talk.session.position());
  later.clock.stepWall(Millis(1));
  later.open(2, 4);
  CHECK(only<EchoRow>(later.echo(2)));
  CHECK(only<EchoRow>(later.echo(3)));
  CHECK(later.session.counters().lost == 0);
}

TEST_CASE("a wall clock that was set back a little costs nothing") {
  Talk talk;
  talk.open();
  const auto first = talk.clock.wall();
  REQUIRE(only<EchoRow>(talk.echo(1)));
  talk.clock.stepWall(Millis(-900));
  const auto outcomes = talk.echo(2);
  REQUIRE(only<EchoRow>(outcomes));
  CHECK(only<EchoRow>(outcomes)->time == first + Millis(1));
}

TEST_CASE("a missing number is asked for once, then counted as lost") {
  Talk talk;
  talk.open();
  REQUIRE(only<EchoRow>(talk.echo(1)));
  REQUIRE(only<EchoGreetAgain>(talk.echo(4)));
  talk.session.start(6, 9, 1, {}, talk.clock.mono());
  talk.nonce = 6;
  talk.open(1, 5);
  CHECK(only<EchoRow>(talk.echo(4)));
  CHECK(talk.session.counters().lost == 2);
}

TEST_CASE("only echoes of this run are acknowledged") {
  Talk talk;
  CHECK_FALSE(talk.session.stored(9, 1));
  talk.open();
  CHECK_FALSE(talk.session.stored(8, 1));
  CHECK(talk.session.stored(9, 1) == echo::encode(echo::Ack{9, 1}));
}

TEST_CASE("a hello with impossible numbers closes the link") {
  for (const auto& [first, next] : {std::pair<std::uint64_t, std::uint64_t>{0, 1},
                                    {5, 4},
                                    {1, std::uint64_t{1} << 60},
                                    {1, 3'000'000}}) {
    Talk talk;
    const auto outcomes = talk.feed(echo::encode(talk.hello(first, next)));
    CHECK(only<EchoClose>(outcomes));
  }
}

TEST_CASE("an agent that never answers is greeted on channels opened anew, less and less often") {
  ManualClock clock{Timestamp(Millis(1'700'000'000'000))};
  unsigned unanswered = 0;
  std::vector<int> waited;
  for (int greeting = 1; greeting <= 9; ++greeting) {
    EchoSession session({}, {}, unanswered);
    session.start(kPlainNonce, 0, 0, {}, clock.mono());
    for (waited.push_back(1); clock.advance(Millis(1000)), true; ++waited.back()) {
      const auto again = session.tick(clock.mono());
      REQUIRE(waited.back() <= 600);
      if (!again) continue;
      CHECK(again->anew);
      break;
    }
    unanswered = session.unanswered();
  }
  CHECK(waited == std::vector<int>{5, 10, 20, 40, 80, 160, 320, 600, 600});
}

TEST_CASE("greetings without an answer are given up at different moments, within a quarter more") {
  std::set<EchoSession::Instant> moments;
  const EchoSession::Instant now{};
  for (std::uint64_t nonce = 1; nonce < 20'000; nonce += 311) {
    EchoSession session({}, {});
    session.start(nonce, 0, 0, {}, now);
    moments.insert(session.nextCheck());
  }
  CHECK(moments.size() > 32);
  CHECK(*moments.begin() >= now + Millis(5'000));
  CHECK(*moments.rbegin() < now + Millis(6'250));
}

TEST_CASE("an agent that falls silent is greeted on its channel first, then on one opened anew") {
  Talk talk;
  talk.open();
  talk.clock.advance(Millis(25'000));
  const auto again = talk.session.tick(talk.clock.mono());
  REQUIRE(again);
  CHECK_FALSE(again->anew);
  talk.session.start(kPlainNonce, 0, 0, {}, talk.clock.mono());
  CHECK_FALSE(talk.session.tick(talk.clock.mono()));
  talk.clock.advance(Millis(10'000));
  const auto anew = talk.session.tick(talk.clock.mono());
  REQUIRE(anew);
  CHECK(anew->anew);
}

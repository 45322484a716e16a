#include "agent/session.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "virtseer/echo/codec.h"

namespace virtseer::agent {
namespace {

/// All that a host reads, sorted by what it is.
struct Heard {
  std::vector<echo::Hello> hellos;
  std::vector<echo::ColumnName> columns;
  std::vector<std::uint64_t> sequences;  ///< since the last Hello
  std::vector<echo::LoadState> answers;
  std::vector<echo::Sources> sources;
  std::uint64_t faults = 0;
};

/// A host that reads and may go away at any byte.
class Host {
 public:
  explicit Host(Session& session) : session_(session) {}

  void greet(std::uint64_t nonce, std::uint64_t epoch = 0, std::uint64_t sequence = 0,
             echo::Settings settings = {}) {
    session_.receive(echo::encode(echo::Greeting{
        .nonce = nonce, .stored_epoch = epoch, .stored_sequence = sequence, .settings = settings}));
  }

  /// Reads at most `most` bytes, in pieces of at most `piece`. Gives the count.
  std::size_t read(std::size_t most = std::string::npos, std::size_t piece = std::string::npos) {
    std::size_t total = 0;
    while (total < most) {
      const auto bytes = session_.pending(1000).substr(0, std::min(piece, most - total));
      if (bytes.empty()) break;
      reader_.feed(bytes);
      total += bytes.size();
      session_.sent(bytes.size());
      while (const auto frame = reader_.next()) take(*frame);
    }
    heard.faults = reader_.faults();
    return total;
  }

  Heard heard;

 private:
  void take(const echo::Frame& frame) {
    if (frame.type == echo::FrameType::hello) {
      heard.hellos.push_back(echo::decodeHello(frame.body).value());
      heard.sequences.clear();
      heard.columns.clear();
    } else if (frame.type == echo::FrameType::catalogue) {
      auto catalogue = echo::decodeCatalogue(frame.body).value();
      REQUIRE(catalogue.first == heard.columns.size());
      for (auto& column : catalogue.columns) heard.columns.push_back(std::move(column));
    } else if (frame.type == echo::FrameType::echo) {
      const auto echo = echo::decodeEcho(frame.body).value();
      if (!heard.hellos.empty()) REQUIRE(echo.values.size() <= heard.columns.size());
      REQUIRE(echo.values.at(1) == static_cast<double>(echo.sequence));
      heard.sequences.push_back(echo.sequence);
    } else if (frame.type == echo::FrameType::sources) {
      heard.sources.push_back(echo::decodeSources(frame.body).value());
    } else if (frame.type == echo::FrameType::load_state) {
      heard.answers.push_back(echo::decodeLoadState(frame.body).value());
    }
  }

  Session& session_;
  echo::FrameReader reader_;
};

using Sequences = std::vector<std::uint64_t>;

Session makeSession(std::size_t ring_bytes = 192 * 1024) {
  Session session({.epoch = 77, .version = "1", .role = "lab", .ring_bytes = ring_bytes});
  session.columns().add("guest_load1");
  return session;
}

void push(Session& session, int count = 1) {
  for (int i = 0; i < count; ++i) {
    std::vector<double> values(session.columns().size(), 0.1);
    session.push(static_cast<std::int64_t>(session.nextSequence()) * 1000, values);
  }
}

TEST_CASE("nothing is said before the first greeting") {
  Session session = makeSession();
  push(session, 3);
  CHECK(session.pending(1000).empty());
  CHECK(session.kept() == 3);
}

TEST_CASE(
    "a greeting is answered by hello, catalogue, what is kept, and the wish for a fresh echo") {
  Session session = makeSession();
  session.setSources({{"cpu", "on"}});
  push(session, 3);
  CHECK_FALSE(session.takeFresh());
  Host host(session);
  host.greet(5);
  CHECK(session.takeFresh());
  CHECK_FALSE(session.takeFresh());
  host.read();
  REQUIRE(host.heard.hellos.size() == 1);
  const echo::Hello& hello = host.heard.hellos[0];
  CHECK(hello.nonce == 5);
  CHECK(hello.epoch == 77);
  CHECK(hello.first_sequence == 1);
  CHECK(hello.next_sequence == 4);
  CHECK(hello.mono_ms == 1000);
  CHECK(hello.role == "lab");
  CHECK(hello.sources.at("cpu") == "on");
  REQUIRE(host.heard.columns.size() == 4);
  CHECK(host.heard.columns[0].metric == "echo_epoch");
  CHECK(host.heard.columns[1].metric == "echo_sequence");
  CHECK(host.heard.columns[2].metric == "guest_echo_dropped_total");
  CHECK(host.heard.columns[3].metric == "guest_load1");
  CHECK(host.heard.sequences == Sequences{1, 2, 3});
}

TEST_CASE("what becomes of a source after the hello is told once") {
  Session session = makeSession();
  session.setSources({{"ebpf", "in part: programs are being loaded"}});
  Host host(session);
  host.greet(5);
  host.read();
  CHECK(host.heard.sources.empty());

  session.setSources({{"ebpf", "on"}});
  session.setSources({{"ebpf", "on"}});
  host.read();
  REQUIRE(host.heard.sources.size() == 1);
  CHECK(host.heard.sources[0].states.at("ebpf") == "on");
  host.read();
  CHECK(host.heard.sources.size() == 1);

  session.setSources({{"ebpf", "not asked for"}});
  host.greet(6);
  host.read();
  CHECK(host.heard.hellos.back().sources.at("ebpf") == "not asked for");
  CHECK(host.heard.sources.size() == 1);
}

TEST_CASE("what the daemon has stored of this run is not sent again, of another run it is") {
  Session session = makeSession();
  push(session, 4);
  Host host(session);
  host.greet(1, 77, 3);
  host.read();
  CHECK(host.heard.sequences == Sequences{4});

  Session other = makeSession();
  push(other, 4);
  Host stranger(other);
  stranger.greet(1, 78, 3);
  stranger.read();
  CHECK(stranger.heard.sequences == Sequences{1, 2, 3, 4});
}

TEST_CASE("a new connection begins with nothing of the one before, and waits for its greeting") {
  Session session = makeSession();
  push(session, 2);
  {
    Host host(session);
    host.greet(1);
    session.sent(5);  // of a frame that the connection did not live to see whole
  }
  CHECK(session.greeted());
  session.begin();
  CHECK_FALSE(session.greeted());
  CHECK(session.pending(2000).empty());
  Host host(session);
  host.greet(2);
  host.read();
  REQUIRE(host.heard.hellos.size() == 1);
  CHECK(host.heard.hellos[0].nonce == 2);
  CHECK(host.heard.sequences == Sequences{1, 2});
  CHECK(host.heard.faults == 0);
}

TEST_CASE("echoes are kept until they are acknowledged, and only by their own run") {
  Session session = makeSession();
  Host host(session);
  host.greet(1);
  push(session, 3);
  host.read();
  CHECK(session.kept() == 3);
  session.receive(echo::encode(echo::Ack{78, 3}));
  CHECK(session.kept() == 3);
  session.receive(echo::encode(echo::Ack{77, 2}));
  CHECK(session.kept() == 1);
  session.receive(echo::encode(echo::Ack{77, 1000}));
  CHECK(session.kept() == 0);
  push(session);
  host.read();
  CHECK(host.heard.sequences == Sequences{1, 2, 3, 4});
}

TEST_CASE("a break after any byte leaves no gap and no double behind the next hello") {
  Session measured = makeSession();
  push(measured, 3);
  Host all(measured);
  all.greet(1);
  const std::size_t length = all.read();

  for (std::size_t cut = 0; cut <= length; ++cut) {
    CAPTURE(cut);
    Session session = makeSession();
    push(session, 3);
    Host first(session);
    first.greet(1);
    first.read(cut);
    push(session);
    Host second(session);
    second.greet(2);
    second.read();
    // A head that went to the first host leaves its tail for the second: one run of garbage.
    CHECK(second.heard.faults <= 1);
    REQUIRE(second.heard.hellos.size() >= 1);
    CHECK(second.heard.hellos.back().nonce == 2);
    CHECK(second.heard.columns.size() == 4);
    CHECK(second.heard.sequences == Sequences{1, 2, 3, 4});
  }
}

TEST_CASE("a second greeting in the middle of a frame does not break the stream") {
  Session measured = makeSession();
  push(measured, 2);
  Host all(measured);
  all.greet(1);
  const std::size_t length = all.read();

  for (std::size_t cut = 0; cut <= length; ++cut) {
    CAPTURE(cut);
    Session session = makeSession();
    push(session, 2);
    Host host(session);
    host.greet(1);
    host.read(cut);
    host.greet(2);
    host.read();
    CHECK(host.heard.faults == 0);
    CHECK(host.heard.hellos.back().nonce == 2);
    CHECK(host.heard.sequences == Sequences{1, 2});
  }
}

TEST_CASE("a port that takes a byte at a time carries everything") {
  Session session = makeSession();
  push(session, 5);
  Host host(session);
  host.greet(1);
  host.read(std::string::npos, 1);
  CHECK(host.heard.sequences == Sequences{1, 2, 3, 4, 5});
  CHECK(host.heard.faults == 0);
}

TEST_CASE("a ring that overflows loses the oldest, and says how many") {
  Session session = makeSession(512);
  push(session, 100);
  REQUIRE(session.dropped() > 0);
  CHECK(session.dropped() + session.kept() == 100);
  Host host(session);
  host.greet(1);
  host.read();
  CHECK(host.heard.hellos[0].dropped == session.dropped());
  CHECK(host.heard.hellos[0].first_sequence == session.dropped() + 1);
  REQUIRE_FALSE(host.heard.sequences.empty());
  CHECK(host.heard.sequences.front() == session.dropped() + 1);
  CHECK(host.heard.sequences.back() == 100);
}

TEST_CASE("an echo that is pushed out while it is being written is still written whole") {
  Session session = makeSession(512);
  Host host(session);
  host.greet(1);
  host.read();
  push(session);
  host.read(20);
  push(session, 100);
  host.read();
  CHECK(host.heard.faults == 0);
  CHECK(host.heard.sequences.front() == 1);
  CHECK(host.heard.sequences.back() == 101);
}

TEST_CASE("columns that are added in a session are announced before the echoes that need them") {
  Session session = makeSession();
  Host host(session);
  host.greet(1);
  host.read();
  push(session);
  session.columns().add("guest_new_bytes");
  push(session);
  host.read();
  CHECK(host.heard.columns.size() == 5);
  CHECK(host.heard.sequences == Sequences{1, 2});
}

TEST_CASE("a catalogue of every column there may be arrives in frames below the limit") {
  Session session = makeSession();
  const std::string long_value(echo::kMaxTextBytes, 'v');
  while (session.columns().add("guest_a_bytes", {{"device", long_value}}) != kNoColumn) {
  }
  Host host(session);
  host.greet(1);
  host.read();
  CHECK(host.heard.columns.size() == echo::kMaxColumns);
  push(session);
  host.read();
  CHECK(host.heard.sequences == Sequences{1});
}

TEST_CASE("settings of a greeting and of later frames come together, what is absent stays") {
  Session session = makeSession();
  Host host(session);
  host.greet(1, 0, 0, {1000, std::nullopt, std::nullopt});
  session.receive(echo::encode(echo::Settings{std::nullopt, 5, std::nullopt}));
  CHECK(session.takeSettings() == echo::Settings{1000, 5, std::nullopt});
  CHECK_FALSE(session.takeSettings());
}

TEST_CASE("a load is handed on once, and its answer reaches the host") {
  Session session = makeSession();
  Host host(session);
  host.greet(1);
  const echo::Load load{9, 0.5, 0, 0, 0, 1000};
  session.receive(echo::encode(load));
  CHECK(session.takeLoad() == load);
  CHECK_FALSE(session.takeLoad());
  session.answer({9, true, ""});
  host.read();
  REQUIRE(host.heard.answers.size() == 1);
  CHECK(host.heard.answers[0] == echo::LoadState{9, true, ""});
}

TEST_CASE("answers that nobody fetches are bounded") {
  Session session = makeSession();
  for (std::uint64_t id = 1; id <= 1000; ++id) session.answer({id, true, ""});
  Host host(session);
  host.greet(1);
  host.read();
  CHECK(host.heard.answers.size() <= 8);
  CHECK(host.heard.answers.back().id == 1000);
}

TEST_CASE("garbage, frames of an agent and unknown types change nothing and are counted") {
  Session session = makeSession();
  push(session);
  session.receive("garbage");
  session.receive(echo::encode(echo::Echo{1, 1, {}}));
  session.receive(echo::encode(echo::Greeting{.stored_epoch = echo::kEpochEnd, .settings = {}}));
  CHECK(session.faults() == 3);
  CHECK(session.pending(1).empty());
  Host host(session);
  host.greet(1);
  host.read();
  CHECK(host.heard.sequences == Sequences{1});
}

}  // namespace
}  // namespace virtseer::agent

#include "collect/echo_session.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace virtseer;
using namespace virtseer::collect;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// Frames whose sums are right, made from the input, so that the fuzzer gets behind them.
std::string framed(std::uint8_t type, std::string_view body) {
  std::string frame;
  echo::appendFrame(frame, static_cast<echo::FrameType>(type),
                    [&](std::string& out) { out.append(body); });
  return frame;
}

/// What must hold of everything that a session lets through, whatever a guest sends.
struct Judge {
  EchoSession& session;
  Timestamp wall;
  std::optional<Timestamp>& last;
  std::uint64_t& sequence;
  bool& closed;

  void operator()(const EchoConnected&) { sequence = 0; }
  void operator()(const EchoRow& row) {
    require(!closed);
    require(row.values.size() <= echo::kMaxColumns && row.values.size() >= 2);
    require(row.values.size() <= session.columns().size());
    require(row.values[1] == static_cast<double>(row.sequence));
    require(row.sequence > sequence);
    require(!last || row.time > *last);
    require(row.time <= wall + kMaxAhead);
    require(row.time >= wall - EchoSession::kMaxAge - Millis(1));
    for (const double value : row.values) require(!std::isinf(value));
    sequence = row.sequence;
    last = row.time;
  }
  void operator()(const echo::LoadState&) {}
  void operator()(const echo::Sources&) { require(!closed); }
  void operator()(const EchoGreetAgain&) {}
  void operator()(const EchoClose& close) {
    require(!closed && !close.reason.empty());
    closed = true;
  }
  void operator()(const EchoTooEarly& early) {
    require(!closed && last && early.last == *last && early.last + Millis(1) > wall + kMaxAhead);
    closed = true;
  }
};

}  // namespace

/// The input is a list of pieces: one byte says what, one how long, then the bytes. A first piece
/// opens the session with a right Hello, else nearly nothing would ever get past the nonce.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  ManualClock clock{Timestamp(Millis(1'700'000'000'000))};
  EchoSession session({}, {});
  std::uint64_t nonce = 1;
  session.start(nonce, 0, 0, {}, clock.mono());
  std::optional<Timestamp> last;
  std::uint64_t sequence = 0;
  bool closed = false;
  const auto feed = [&](std::string_view bytes) {
    for (const auto& outcome : session.receive(bytes, clock.wall(), clock.mono())) {
      std::visit(Judge{session, clock.wall(), last, sequence, closed}, outcome);
      if (std::holds_alternative<EchoGreetAgain>(outcome))
        session.start(++nonce, 0, 0, {}, clock.mono());
    }
  };
  while (input.size() >= 2) {
    const auto what = static_cast<std::uint8_t>(input[0]);
    const auto length =
        std::min<std::size_t>(static_cast<std::uint8_t>(input[1]), input.size() - 2);
    const auto piece = input.substr(2, length);
    input.remove_prefix(2 + length);
    if (what == 0) {
      feed(piece);
    } else if (what == 1 && piece.size() >= 4) {
      echo::Hello hello;
      hello.nonce = nonce;
      hello.epoch = static_cast<std::uint8_t>(piece[0]) + 1u;
      hello.first_sequence = static_cast<std::uint8_t>(piece[1]);
      hello.next_sequence = hello.first_sequence + static_cast<std::uint8_t>(piece[2]);
      hello.mono_ms = static_cast<std::int8_t>(piece[3]) * 1000;
      feed(echo::encode(hello));
    } else if (what == 2) {
      clock.advance(Millis(static_cast<int>(length)));
    } else {
      feed(framed(what % 8, piece));
    }
  }
  for (const auto& name : session.columns())
    require(name.metric.starts_with("guest_") || name.metric.starts_with("echo_"));
  require(session.columns().size() <= echo::kMaxColumns);
  return 0;
}

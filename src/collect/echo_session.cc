#include "collect/echo_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "collect/catalogue_rules.h"

namespace virtseer::collect {
namespace {

/// The daemon's own columns, at the front of every row.
constexpr std::size_t kEpochPlace = 0;
constexpr std::size_t kSequencePlace = 1;
constexpr std::size_t kOwnColumns = 2;

bool same(const SeriesName& a, const SeriesName& b) {
  return a.metric == b.metric && a.labels == b.labels;
}

/// By how much a guest's monotonic clock moved, as far as that is believed: 0 to kMaxAge.
Millis movedBy(std::int64_t from_ms, std::int64_t to_ms) {
  if (to_ms <= from_ms) return Millis(0);
  // Unsigned, since a hostile pair of clocks may lie further apart than a signed number reaches.
  const auto moved = static_cast<std::uint64_t>(to_ms) - static_cast<std::uint64_t>(from_ms);
  return Millis(static_cast<std::int64_t>(
      std::min(moved, static_cast<std::uint64_t>(EchoSession::kMaxAge.count()))));
}

constexpr Millis kLastPatience{600'000};
constexpr unsigned kMostDoublings = 16;
constexpr std::uint64_t kSpread = 64;
constexpr Millis kLeastSilence{10'000};
constexpr std::uint64_t kMaxSequence = std::uint64_t{1} << 53;

}  // namespace

EchoSession::EchoSession(EchoLimits limits, EchoPosition position, unsigned unanswered)
    : limits_(limits),
      position_(position),
      frames_(limits.max_frames_per_second, 2.0 * limits.max_frames_per_second),
      bytes_(static_cast<double>(limits.max_frames_per_second * EchoLimits::kTypicalFrameBytes),
             static_cast<double>(limits.max_replay_bytes)),
      unanswered_(unanswered) {}

std::string EchoSession::start(std::uint64_t nonce, std::uint64_t stored_epoch,
                               std::uint64_t stored_sequence, const echo::Settings& settings,
                               Instant now) {
  nonce_ = nonce;
  connected_ = false;
  const auto longer = std::min(unanswered_++, kMostDoublings);
  const auto patience = std::min(kLastPatience, limits_.patience * (1 << longer));
  // Some more of it for each nonce, so that many that do not answer are not tried at one moment.
  check_ = now + patience + patience * static_cast<std::int64_t>(nonce % kSpread) / (4 * kSpread);
  return std::string(kFlushBytes, '\0') +
         echo::encode(echo::Greeting{.protocol = echo::kProtocolVersion,
                                     .nonce = nonce,
                                     .stored_epoch = stored_epoch,
                                     .stored_sequence = stored_sequence,
                                     .settings = settings});
}

std::vector<EchoOutcome> EchoSession::receive(std::string_view bytes, Timestamp wall, Instant now) {
  Outcomes out;
  if (closed_) return out;
  if (!bytes_.take(static_cast<double>(bytes.size()), now)) {
    ++counters_.faults;
    close("the guest sends too many bytes", false, out);
    return out;
  }
  reader_.feed(bytes);
  while (!closed_) {
    const auto frame = reader_.next();
    const auto found = reader_.faults() - reader_faults_;
    reader_faults_ += found;
    // Before the Hello an earlier reader's leftovers come, cut anywhere; that is nobody's fault.
    for (std::uint64_t i = 0; connected_ && i < found && !closed_; ++i)
      fault("bytes that are no frame", out);
    if (!frame || closed_) break;
    take(*frame, wall, now, out);
  }
  if (connected_) heard(now);
  return out;
}

void EchoSession::take(const echo::Frame& frame, Timestamp wall, Instant now, Outcomes& out) {
  if (frame.type == echo::FrameType::hello) return takeHello(frame.body, wall, out);
  // What waited in the channel for a new reader is bounded by the channel, and by bytes.
  if (!connected_) {
    ++counters_.stale;
    return;
  }
  const bool announced = frame.type == echo::FrameType::echo && announced_left_ > 0;
  if (announced) {
    --announced_left_;
  } else if (!frames_.take(1, now)) {
    ++counters_.faults;
    return close(fmt::format("the guest sends more than {} frames per second",
                             limits_.max_frames_per_second),
                 false, out);
  }
  switch (frame.type) {
    case echo::FrameType::catalogue:
      return takeCatalogue(frame.body, out);
    case echo::FrameType::echo:
      return takeEcho(frame.body, wall, out);
    case echo::FrameType::load_state:
      if (auto state = echo::decodeLoadState(frame.body))
        out.emplace_back(std::move(*state));
      else
        fault("a load state: " + state.error(), out);
      return;
    case echo::FrameType::sources:
      if (auto sources = echo::decodeSources(frame.body))
        out.emplace_back(std::move(*sources));
      else
        fault("what became of sources: " + sources.error(), out);
      return;
    case echo::FrameType::greeting:
    case echo::FrameType::ack:
    case echo::FrameType::settings:
    case echo::FrameType::load:
      return fault("a frame that only a daemon sends", out);
    default:
      return;  // a later version's: stepped over, so that agents may be newer
  }
}

void EchoSession::takeHello(std::string_view body, Timestamp wall, Outcomes& out) {
  auto hello = echo::decodeHello(body);
  if (!hello) {
    if (connected_)
      fault("a hello: " + hello.error(), out);
    else
      ++counters_.stale;
    return;
  }
  if (hello->nonce != nonce_) {
    ++counters_.stale;
    return;
  }
  if (connected_) return fault("a second hello", out);
  if (hello->protocol != echo::kProtocolVersion) {
    return close(fmt::format("the agent speaks echo protocol {}, this daemon {}: update the {}",
                             hello->protocol, echo::kProtocolVersion,
                             hello->protocol < echo::kProtocolVersion ? "agent" : "daemon"),
                 true, out);
  }
  if (hello->first_sequence == 0 || hello->next_sequence < hello->first_sequence ||
      hello->next_sequence > kMaxSequence ||
      hello->next_sequence - hello->first_sequence > EchoLimits::kMaxRing) {
    ++counters_.faults;
    return close("a hello with impossible numbers", false, out);
  }
  hello_arrival_ = wall;
  connected_ = true;
  unanswered_ = 0;
  columns_.assign({kEpochColumn, kSequenceColumn});
  catalogue_.clear();
  places_.clear();
  adopt(*hello);
  hello_ = std::move(*hello);
  out.emplace_back(EchoConnected{hello_});
}

void EchoSession::adopt(const echo::Hello& hello) {
  announced_left_ = hello.next_sequence - hello.first_sequence;
  previous_ = 0;
  if (position_.epoch != hello.epoch)
    position_ = {
        .epoch = hello.epoch, .sequence = 0, .dropped = 0, .asked = 0, .last = position_.last};
  if (hello.next_sequence <= position_.sequence) position_.sequence = hello.next_sequence - 1;
  expected_ = std::max(position_.sequence + 1, hello.first_sequence);
  const auto gap = expected_ - (position_.sequence + 1);
  const auto dropped = hello.dropped - std::min(hello.dropped, position_.dropped);
  const auto lost = std::min(gap, dropped);
  counters_.lost += lost;
  counters_.elsewhere += gap - lost;
  position_.sequence = expected_ - 1;
  position_.dropped = hello.dropped;
}

void EchoSession::takeCatalogue(std::string_view body, Outcomes& out) {
  const auto catalogue = echo::decodeCatalogue(body);
  if (!catalogue) return fault("a catalogue: " + catalogue.error(), out);
  if (catalogue->first + catalogue->columns.size() + kOwnColumns > echo::kMaxColumns)
    return fault("a catalogue with too many columns", out);
  if (auto why = refusal(catalogue_, catalogue->first, catalogue->columns))
    return fault(std::move(*why), out);
  for (std::size_t i = catalogue_.size() - catalogue->first; i < catalogue->columns.size(); ++i) {
    const auto& column = catalogue->columns[i];
    catalogue_.push_back(column);
    if (same(column, kEpochColumn)) {
      places_.push_back(kEpochPlace);
    } else if (same(column, kSequenceColumn)) {
      places_.push_back(kSequencePlace);
    } else {
      places_.push_back(columns_.size());
      columns_.push_back(column);
    }
  }
}

void EchoSession::takeEcho(std::string_view body, Timestamp wall, Outcomes& out) {
  auto echo = echo::decodeEcho(body);
  if (!echo) return fault("an echo: " + echo.error(), out);
  if (echo->sequence <= previous_ || echo->sequence < hello_.first_sequence)
    return fault("an echo out of order", out);
  previous_ = echo->sequence;
  if (echo->sequence < expected_) {
    ++counters_.duplicates;
    return;
  }
  const bool replayed = echo->sequence < hello_.next_sequence;
  const auto time = timeOf(*echo, replayed, wall);
  if (!time) {
    end();
    out.emplace_back(EchoTooEarly{*position_.last});
    return;
  }
  if (echo->sequence > expected_) {
    if (position_.asked != expected_) {
      position_.asked = expected_;
      connected_ = false;
      out.emplace_back(EchoGreetAgain{
          fmt::format("echoes {} to {} are missing", expected_, echo->sequence - 1)});
      return;
    }
    counters_.lost += echo->sequence - expected_;
  }
  position_.sequence = echo->sequence;
  expected_ = echo->sequence + 1;
  takeRow(std::move(*echo), *time, replayed, out);
}

void EchoSession::takeRow(echo::Echo echo, Timestamp time, bool replayed, Outcomes& out) {
  if (echo.values.size() > catalogue_.size()) {
    ++counters_.lost;
    return fault("an echo with values beyond the catalogue", out);
  }
  position_.last = time;
  ++counters_.taken;
  EchoRow row{.sequence = echo.sequence,
              .time = time,
              .replayed = replayed,
              .values = {},
              .tables = std::move(echo.report.tables),
              .happenings = happenings(echo, time)};
  row.values.assign(columns_.size(), kMissing);
  for (std::size_t i = 0; i < echo.values.size(); ++i) row.values[places_[i]] = echo.values[i];
  row.values[kEpochPlace] = static_cast<double>(hello_.epoch);
  row.values[kSequencePlace] = static_cast<double>(echo.sequence);
  out.emplace_back(std::move(row));
}

std::vector<GuestHappening> EchoSession::happenings(echo::Echo& echo, Timestamp row) {
  std::vector<GuestHappening> out;
  out.reserve(echo.report.happenings.size());
  for (auto& what : echo.report.happenings)
    out.push_back({row - movedBy(what.mono_ms, echo.mono_ms), std::move(what)});
  return out;
}

std::optional<Timestamp> EchoSession::timeOf(const echo::Echo& echo, bool replayed,
                                             Timestamp wall) const {
  Timestamp time = wall;
  if (replayed) {
    const Millis after(static_cast<std::int64_t>(std::min(
        hello_.next_sequence - 1 - echo.sequence, static_cast<std::uint64_t>(kMaxAge.count()))));
    time = hello_arrival_ - std::max(after, movedBy(echo.mono_ms, hello_.mono_ms));
    time = std::min(time, wall);
  }
  return rowTime(time, position_.last, wall);
}

std::optional<std::string> EchoSession::stored(std::uint64_t epoch, std::uint64_t sequence) const {
  if (!connected_ || closed_ || epoch != hello_.epoch) return std::nullopt;
  return echo::encode(echo::Ack{epoch, sequence});
}

void EchoSession::fault(std::string reason, Outcomes& out) {
  ++counters_.faults;
  if (++session_faults_ >= limits_.max_faults)
    close(fmt::format("{} faulty frames, the last: {}", session_faults_, reason), false, out);
}

void EchoSession::end() {
  closed_ = true;
  connected_ = false;
  check_ = Instant::max();
}

void EchoSession::close(std::string reason, bool refused, Outcomes& out) {
  end();
  out.emplace_back(EchoClose{std::move(reason), refused});
}

void EchoSession::heard(Instant now) {
  const std::int64_t interval = std::min(hello_.interval_ms, echo::kMaxIntervalMs);
  check_ = now + std::max(kLeastSilence, Millis(5 * interval));
}

std::optional<EchoGreetAgain> EchoSession::tick(Instant now) {
  if (closed_ || now < check_) return std::nullopt;
  check_ = Instant::max();
  if (connected_) return EchoGreetAgain{.reason = "the agent has been silent for too long"};
  return EchoGreetAgain{.reason = "no answer to the greeting", .anew = true};
}

}  // namespace virtseer::collect

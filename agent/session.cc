#include "agent/session.h"

#include <array>
#include <utility>

#include "virtseer/echo/codec.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kMostAnswers = 8;
/// A catalogue frame is closed once it holds about this much.
constexpr std::size_t kCatalogueBytes = 16 * 1024;

std::size_t roughBytes(const echo::ColumnName& column) {
  std::size_t bytes = column.metric.size() + 8;
  for (const auto& [label, value] : column.labels) bytes += label.size() + value.size() + 6;
  return bytes;
}

}  // namespace

Session::Session(Options options) : options_(std::move(options)), ring_(options_.ring_bytes) {
  columns_.add("echo_epoch");
  columns_.add("echo_sequence");
  columns_.add("guest_echo_dropped_total");
}

void Session::begin() {
  greeted_ = hello_due_ = false;
  current_.clear();
  current_sent_ = 0;
  faults_ += reader_.faults();
  reader_ = {};
}

void Session::receive(std::string_view bytes) {
  reader_.feed(bytes);
  while (const auto frame = reader_.next()) take(*frame);
}

void Session::take(const echo::Frame& frame) {
  switch (frame.type) {
    case echo::FrameType::greeting:
      if (const auto greeting = echo::decodeGreeting(frame.body)) return take(*greeting);
      break;
    case echo::FrameType::ack:
      if (const auto ack = echo::decodeAck(frame.body)) {
        if (ack->epoch == options_.epoch) ring_.release(ack->sequence);
        return;
      }
      break;
    case echo::FrameType::settings:
      if (const auto settings = echo::decodeSettings(frame.body)) return take(*settings);
      break;
    case echo::FrameType::load:
      if (const auto load = echo::decodeLoad(frame.body)) {
        load_ = *load;
        return;
      }
      break;
    default:
      break;
  }
  ++faults_;
}

void Session::take(const echo::Greeting& greeting) {
  greeted_ = true;
  hello_due_ = true;
  nonce_ = greeting.nonce;
  announced_ = 0;
  cursor_ = 0;
  fresh_wanted_ = true;
  if (current_sent_ == 0) current_.clear();
  if (greeting.stored_epoch == options_.epoch) ring_.release(greeting.stored_sequence);
  take(greeting.settings);
}

void Session::take(const echo::Settings& settings) {
  if (settings == echo::Settings{}) return;
  if (!settings_) settings_.emplace();
  if (settings.interval_ms) settings_->interval_ms = settings.interval_ms;
  if (settings.top_processes) settings_->top_processes = settings.top_processes;
  if (settings.collectors) settings_->collectors = settings.collectors;
}

std::uint64_t Session::push(std::int64_t mono_ms, std::span<double> values,
                            const echo::Report& report) {
  const std::uint64_t sequence = next_sequence_++;
  const std::array<std::uint64_t, 3> own{options_.epoch, sequence, dropped_};
  for (std::size_t i = 0; i < own.size() && i < values.size(); ++i)
    values[i] = static_cast<double>(own[i]);
  scratch_.clear();
  echo::appendEcho(scratch_, sequence, mono_ms, values, report);
  dropped_ += ring_.push(sequence, scratch_);
  return sequence;
}

void Session::answer(const echo::LoadState& state) {
  if (answers_.size() >= kMostAnswers) answers_.pop_front();
  answers_.push_back(echo::encode(state));
}

std::string_view Session::pending(std::int64_t now_ms) {
  if (current_sent_ >= current_.size()) chooseNext(now_ms);
  return std::string_view(current_).substr(current_sent_);
}

void Session::sent(std::size_t bytes) {
  current_sent_ += bytes;
}

/// Columns go out before the echoes that need them; everything else can wait for its turn.
void Session::chooseNext(std::int64_t now_ms) {
  current_.clear();
  current_sent_ = 0;
  if (!greeted_) return;
  if (hello_due_) {
    current_ = hello(now_ms);
    hello_due_ = false;
  } else if (announced_ < columns_.size()) {
    current_ = nextCatalogue();
  } else if (sources_ != told_sources_) {
    current_ = nextSources();
  } else if (!answers_.empty()) {
    current_ = std::move(answers_.front());
    answers_.pop_front();
  } else if (const auto entry = ring_.next(cursor_)) {
    current_.assign(entry->frame);
    cursor_ = entry->sequence + 1;
  }
}

std::string Session::hello(std::int64_t now_ms) {
  echo::Hello hello;
  hello.nonce = nonce_;
  hello.agent_version = options_.version;
  hello.epoch = options_.epoch;
  hello.first_sequence = ring_.first().value_or(next_sequence_);
  hello.next_sequence = next_sequence_;
  hello.dropped = dropped_;
  hello.mono_ms = now_ms;
  hello.interval_ms = options_.interval_ms;
  hello.role = options_.role;
  hello.sources = told_sources_ = sources_;
  return echo::encode(hello);
}

std::string Session::nextSources() {
  told_sources_ = sources_;
  return echo::encode(echo::Sources{sources_});
}

std::string Session::nextCatalogue() {
  const auto names = columns_.names();
  std::size_t end = announced_;
  for (std::size_t bytes = 0; end < names.size() && bytes < kCatalogueBytes; ++end)
    bytes += roughBytes(names[end]);
  const auto part = names.subspan(announced_, end - announced_);
  std::string frame = echo::encodeCatalogue(static_cast<std::uint32_t>(announced_), part);
  announced_ = end;
  return frame;
}

}  // namespace virtseer::agent

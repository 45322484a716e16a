#include "agent/sources/journal_json.h"

#include <algorithm>
#include <utility>

#include "agent/scan.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kMaxKeyBytes = 64;
constexpr std::size_t kMaxFieldBytes = 128;
constexpr std::size_t kMaxCursorBytes = 512;
/// What is shown in place of half a surrogate pair.
constexpr unsigned kReplacement = 0xfffd;

constexpr bool isBlank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

constexpr int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::size_t JournalReader::nameOf(std::string_view key) {
  static constexpr std::string_view kKeys[kNames] = {"__CURSOR",      "__MONOTONIC_TIMESTAMP",
                                                     "PRIORITY",      "MESSAGE",
                                                     "MESSAGE_ID",    "SYSLOG_IDENTIFIER",
                                                     "_COMM",         "_PID",
                                                     "_SYSTEMD_UNIT", "_TRANSPORT",
                                                     "UNIT",          "UNIT_RESULT",
                                                     "N_RESTARTS",    "_SOURCE_MONOTONIC_TIMESTAMP",
                                                     "COREDUMP_PID",  "COREDUMP_COMM",
                                                     "COREDUMP_UNIT", "COREDUMP_SIGNAL_NAME"};
  return static_cast<std::size_t>(std::find(kKeys, kKeys + kNames, key) - kKeys);
}

std::size_t JournalReader::roomOf(std::size_t name) {
  return name == kMessage  ? kMaxLogMessageBytes
         : name == kCursor ? kMaxCursorBytes
                           : kMaxFieldBytes;
}

bool JournalReader::next(std::string_view& bytes) {
  while (!bytes.empty()) {
    if (state_ == State::in_text) bytes = takeSimple(bytes);
    if (state_ == State::broken) bytes.remove_prefix(std::min(bytes.find('\n'), bytes.size()));
    if (bytes.empty()) return false;
    const char c = bytes.front();
    bytes.remove_prefix(1);
    if (step(c)) return true;
  }
  return false;
}

/// Gives whether the entry is complete.
bool JournalReader::step(char c) {
  if (c == '\n') return endLine();
  switch (state_) {
    case State::in_text:
      // What is simple was taken before.
      if (c == '\\')
        state_ = State::escape;
      else if (c != '"')
        fail();
      else if (in_key_)
        endKey();
      else
        endValue();
      return false;
    case State::escape:
      escaped(c);
      return false;
    case State::unicode:
      if (hexDigit(c) < 0) return fail(), false;
      code_ = code_ * 16 + static_cast<unsigned>(hexDigit(c));
      if (++digits_ == 4) codePoint();
      return false;
    case State::in_null:
      if (c != "null"[digits_]) return fail(), false;
      if (++digits_ == 4) endValue();
      return false;
    case State::in_number:
      digit(c);
      return false;
    default:
      break;
  }
  if (isBlank(c)) return false;
  switch (state_) {
    case State::line:
      if (c != '{') return fail(), false;
      beginLine();
      state_ = State::first_key;
      return false;
    case State::first_key:
    case State::key:
      if (c == '}' && state_ == State::first_key) {
        state_ = State::object_end;
      } else if (c == '"') {
        in_key_ = true;
        key_.clear();
        state_ = State::in_text;
      } else {
        fail();
      }
      return false;
    case State::colon:
      if (c == ':')
        state_ = State::value;
      else
        fail();
      return false;
    case State::value:
    case State::first_item:
      beginValue(c);
      return false;
    case State::item_end:
      if (c == ',')
        state_ = State::value;
      else if (c == ']')
        endArray();
      else
        fail();
      return false;
    case State::value_end:
      if (c == ',')
        state_ = State::key;
      else if (c == '}')
        state_ = State::object_end;
      else
        fail();
      return false;
    default:
      fail();
      return false;
  }
}

bool JournalReader::endLine() {
  const State ended = std::exchange(state_, State::line);
  if (ended == State::object_end) return true;
  if (ended != State::line) ++faults_;
  return false;
}

void JournalReader::beginLine() {
  for (Field& field : fields_) {
    field.text.clear();
    field.told = false;
  }
  high_surrogate_ = 0;
}

void JournalReader::reset() {
  state_ = State::line;
}

void JournalReader::endKey() {
  keepSurrogate();
  in_key_ = false;
  name_ = nameOf(key_);
  // Of a field that occurs twice the first counts.
  keeping_ = name_ != kNames && !fields_[name_].told;
  depth_ = 0;
  state_ = State::colon;
}

void JournalReader::beginValue(char c) {
  if (c == '"') {
    state_ = State::in_text;
  } else if (c == 'n') {
    digits_ = 1;
    state_ = State::in_null;
  } else if (c == '[' && depth_ < 2) {
    ++depth_;
    state_ = State::first_item;
  } else if (c == ']' && state_ == State::first_item) {
    endArray();
  } else if (c >= '0' && c <= '9' && depth_ > 0) {
    number_ = static_cast<unsigned>(c - '0');
    digits_ = 1;
    state_ = State::in_number;
  } else {
    fail();
  }
}

void JournalReader::endArray() {
  --depth_;
  endValue();
}

/// A value at the top ends the field, one of an array is followed by others. Bytes of an array are
/// parts of one text; another text or array begins another value.
void JournalReader::endValue() {
  keepSurrogate();
  if (state_ != State::in_number && depth_ < 2) {
    if (keeping_ && !fields_[name_].text.empty()) keeping_ = false;
    if (depth_ == 0 && name_ != kNames) fields_[name_].told = true;
  }
  state_ = depth_ > 0 ? State::item_end : State::value_end;
}

void JournalReader::digit(char c) {
  if (c >= '0' && c <= '9' && digits_ < 3) {
    number_ = number_ * 10 + static_cast<unsigned>(c - '0');
    ++digits_;
    return;
  }
  if (number_ > 255 || !(isBlank(c) || c == ',' || c == ']')) return fail();
  keep(static_cast<char>(number_));
  endValue();
  if (!isBlank(c)) step(c);
}

void JournalReader::escaped(char c) {
  static constexpr std::string_view kFrom = "\"\\/bfnrt";
  static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  if (c == 'u') {
    code_ = 0;
    digits_ = 0;
    state_ = State::unicode;
    return;
  }
  const auto place = kFrom.find(c);
  if (place == kFrom.npos) return fail();
  keepSurrogate();
  keep(kTo[place]);
  state_ = State::in_text;
}

/// Four digits are complete: a character, or half of one beyond the first 65536.
void JournalReader::codePoint() {
  state_ = State::in_text;
  unsigned code = code_;
  if (code >= 0xdc00 && code < 0xe000 && high_surrogate_ != 0) {
    code = 0x10000 + ((high_surrogate_ - 0xd800) << 10) + (code - 0xdc00);
    high_surrogate_ = 0;
  } else {
    keepSurrogate();
    if (code >= 0xd800 && code < 0xdc00) {
      high_surrogate_ = code;
      return;
    }
    if (code >= 0xdc00 && code < 0xe000) code = kReplacement;
  }
  char utf8[4];
  std::size_t size = 0;
  const auto put = [&](unsigned byte) { utf8[size++] = static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
  }
  if (code >= 0x80) put(0x80 | (code & 0x3f));
  keep(std::string_view(utf8, size));
}

/// The first half of a pair whose second half does not follow.
void JournalReader::keepSurrogate() {
  if (std::exchange(high_surrogate_, 0) != 0) keep("\xef\xbf\xbd");
}

/// Takes what stands for itself off the front of a text.
std::string_view JournalReader::takeSimple(std::string_view bytes) {
  std::size_t size = 0;
  while (size < bytes.size() && bytes[size] != '"' && bytes[size] != '\\' &&
         static_cast<unsigned char>(bytes[size]) >= 0x20)
    ++size;
  if (size == 0) return bytes;
  keepSurrogate();
  keep(bytes.substr(0, size));
  return bytes.substr(size);
}

void JournalReader::keep(std::string_view text) {
  if (!in_key_ && !keeping_) return;
  std::string& into = in_key_ ? key_ : fields_[name_].text;
  const std::size_t room = in_key_ ? kMaxKeyBytes : roomOf(name_);
  into.append(text.substr(0, room - std::min(room, into.size())));
}

LogEntry JournalReader::entry() const {
  const auto text = [&](Name name) { return std::string_view(fields_[name].text); };
  LogEntry entry;
  if (const auto priority = parseNumber(text(kPriority)))
    entry.priority = static_cast<int>(std::min<std::uint64_t>(*priority, 7));
  entry.kernel = text(kTransport) == "kernel";
  entry.init = text(kPid) == "1" && !entry.kernel;
  const auto stamp = [&](Name name) {
    const auto number = parseNumber(text(name));
    return number && *number <= INT64_MAX ? static_cast<std::int64_t>(*number) : -1;
  };
  entry.mono_us = stamp(kMonotonic);
  if (entry.kernel) entry.kernel_us = stamp(kSourceMonotonic);
  entry.message = text(kMessage);
  entry.unit = text(kSystemdUnit);
  entry.identifier = text(kIdentifier).empty() ? text(kComm) : text(kIdentifier);
  entry.pid = text(kPid);
  entry.message_id = text(kMessageId);
  entry.about_unit = text(kUnit);
  entry.result = text(kUnitResult);
  entry.restarts = text(kRestarts);
  entry.crashed_pid = text(kCoredumpPid);
  entry.crashed_process = text(kCoredumpComm);
  entry.crashed_unit = text(kCoredumpUnit);
  entry.signal = text(kCoredumpSignal);
  return entry;
}

}  // namespace virtseer::agent

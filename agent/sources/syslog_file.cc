#include "agent/sources/syslog_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/scan.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kMaxLineBytes = 4096;
/// What a line takes where none was read yet.
constexpr std::uint64_t kUsualLineBytes = 100;

constexpr bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

constexpr bool isLetter(char c) {
  return lower(c) >= 'a' && lower(c) <= 'z';
}

bool isOneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view other) {
    return std::equal(word.begin(), word.end(), other.begin(), other.end(),
                      [](char a, char b) { return lower(a) == b; });
  });
}

/// The priority that a message seems to have.
int guessedPriority(std::string_view message) {
  int priority = kInfoPriority;
  while (!message.empty()) {
    const auto start = std::find_if(message.begin(), message.end(), isLetter);
    const auto end = std::find_if_not(start, message.end(), isLetter);
    const std::string_view word(start, end);
    message.remove_prefix(static_cast<std::size_t>(end - message.begin()));
    if (isOneOf(word, {"error", "err", "fatal", "failed", "failure", "critical", "crit", "emerg",
                       "panic", "exception", "segfault"}))
      return kErrorPriority;
    if (isOneOf(word, {"warning", "warn"})) priority = kWarningPriority;
  }
  return priority;
}

/// "daemon.err" of busybox; nothing for other words.
std::optional<int> toldPriority(std::string_view word) {
  const auto point = word.find('.');
  if (point == word.npos || point == 0) return std::nullopt;
  static constexpr std::string_view kNames[] = {"emerg",   "alert",  "crit", "err",
                                                "warning", "notice", "info", "debug"};
  const std::string_view name = word.substr(point + 1);
  const auto found =
      std::find(std::begin(kNames), std::end(kNames), name == "warn" ? "warning" : name);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<int>(found - kNames);
}

/// Takes the time off the front of a line.
bool takeTime(std::string_view& line) {
  const std::string_view month = takeWord(line);
  if (month.size() > 10 && isDigit(month[0]) && month[4] == '-' && month[10] == 'T') return true;
  if (month.size() != 3 || !isLetter(month[0])) return false;
  if (!parseNumber(takeWord(line))) return false;
  std::string_view clock = takeWord(line);
  // RFC 3164 knows no year; some write it behind the day.
  if (clock.size() == 4 && parseNumber(clock)) clock = takeWord(line);
  return clock.size() >= 8 && clock[2] == ':' && clock[5] == ':';
}

/// Takes "NAME[PID]: " off the front; where there is none, all of it is the message.
void takeTag(std::string_view& rest, LogEntry& entry) {
  std::string_view after = rest;
  std::string_view tag = takeWord(after);
  if (!tag.ends_with(':')) return;
  tag.remove_suffix(1);
  const auto bracket = tag.find('[');
  if (bracket != tag.npos && tag.ends_with(']'))
    entry.pid = tag.substr(bracket + 1, tag.size() - bracket - 2);
  entry.identifier = tag.substr(0, bracket);
  rest = after;
}

/// "[12345.678901] " before the kernel's messages.
void takeKernelStamp(std::string_view& message) {
  const auto end = message.find("] ");
  if (!message.starts_with('[') || end == message.npos || end > 20) return;
  std::string_view stamp = message.substr(1, end - 1);
  stamp.remove_prefix(std::min(stamp.find_first_not_of(' '), stamp.size()));
  if (parseDecimal(stamp)) message.remove_prefix(end + 2);
}

std::string_view withoutBlanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const auto last = text.find_last_not_of(" \t\r");
  return text.substr(0, last == text.npos ? 0 : last + 1);
}

/// What stands behind "<PRI>1 " in RFC 5424's form.
std::optional<LogEntry> parseNewForm(std::string_view line, int priority) {
  LogEntry entry;
  entry.priority = priority;
  takeWord(line);  // time
  takeWord(line);  // host
  entry.identifier = takeWord(line);
  entry.pid = takeWord(line);
  takeWord(line);  // message id
  if (entry.identifier == "-") entry.identifier = {};
  if (entry.pid == "-") entry.pid = {};
  line = withoutBlanks(line);
  if (line.starts_with('-')) {
    line.remove_prefix(1);
  } else {
    while (line.starts_with('[')) {
      const auto end = line.find(']');
      if (end == line.npos) return std::nullopt;
      line.remove_prefix(end + 1);
    }
  }
  if (line.starts_with(" \xef\xbb\xbf")) line.remove_prefix(4);
  entry.message = line;
  return entry;
}

std::optional<LogEntry> parseForm(std::string_view line) {
  std::optional<int> priority;
  if (line.starts_with('<')) {
    const auto end = line.find('>');
    if (end == line.npos || end > 4) return std::nullopt;
    const auto number = parseNumber(line.substr(1, end - 1));
    if (!number) return std::nullopt;
    priority = static_cast<int>(*number & 7);
    line.remove_prefix(end + 1);
    if (line.starts_with("1 ")) return parseNewForm(line.substr(2), *priority);
  }
  if (!takeTime(line)) return std::nullopt;
  takeWord(line);  // host
  LogEntry entry;
  std::string_view after = line;
  if (const auto told = toldPriority(takeWord(after)); told && !priority) {
    priority = told;
    line = after;
  }
  entry.message = withoutBlanks(line);
  takeTag(entry.message, entry);
  entry.priority = priority ? *priority : guessedPriority(entry.message);
  return entry;
}

}  // namespace

std::optional<LogEntry> parseSyslogLine(std::string_view line) {
  auto entry = parseForm(line);
  if (!entry) return std::nullopt;
  entry->message = withoutBlanks(entry->message);
  if (entry->message.empty()) return std::nullopt;
  entry->kernel = entry->identifier == "kernel" && entry->pid.empty();
  entry->init = entry->identifier == "systemd" && entry->pid == "1";
  if (entry->kernel) takeKernelStamp(entry->message);
  entry->message = entry->message.substr(0, kMaxLogMessageBytes);
  return entry;
}

std::expected<void, std::string> SyslogFile::open(const std::string& path) {
  close();
  path_ = path;
  if (reopen(true)) return {};
  const int error = errno;
  std::string why = path + ": " + errorText(error);
  if (error == EACCES) why += " (group adm is lacking)";
  return std::unexpected(std::move(why));
}

bool SyslogFile::reopen(bool at_end) {
  // No writer is waited for, should a FIFO stand there.
  Descriptor fd(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return false;
  if (at_end) ::lseek(fd.get(), 0, SEEK_END);
  (fd_ ? newer_ : fd_) = std::move(fd);
  return true;
}

void SyslogFile::look() {
  struct stat held{}, there{};
  if (!fd_ || newer_ || ::fstat(fd_.get(), &held) < 0) return;
  if (held.st_size < ::lseek(fd_.get(), 0, SEEK_CUR)) {  // truncated
    ::lseek(fd_.get(), 0, SEEK_SET);
    buffer_.clear();
    given_ = 0;
    cutting_ = false;
  }
  if (::stat(path_.c_str(), &there) == 0 &&
      (there.st_ino != held.st_ino || there.st_dev != held.st_dev))
    reopen(false);
}

std::optional<std::string_view> SyslogFile::next() {
  while (fd_) {
    const auto end = buffer_.find('\n', given_);
    if (end == buffer_.npos) {
      if (buffer_.size() - given_ >= kMaxLineBytes && !cutting_) {
        cutting_ = true;
        ++lines_;
        const std::size_t start = std::exchange(given_, buffer_.size());
        return std::string_view(buffer_).substr(start, kMaxLineBytes);
      }
      if (cutting_) given_ = buffer_.size();
      if (!fill()) return std::nullopt;
      continue;
    }
    const std::size_t start = std::exchange(given_, end + 1);
    if (std::exchange(cutting_, false)) continue;
    ++lines_;
    return std::string_view(buffer_).substr(start, std::min(end - start, kMaxLineBytes));
  }
  return std::nullopt;
}

bool SyslogFile::fill() {
  buffer_.erase(0, given_);
  given_ = 0;
  const std::size_t kept = buffer_.size();
  buffer_.resize(kept + kMaxLineBytes);
  const ssize_t size = ::read(fd_.get(), buffer_.data() + kept, kMaxLineBytes);
  buffer_.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (size > 0) {
    bytes_ += static_cast<std::uint64_t>(size);
    return true;
  }
  if (!newer_) return false;
  fd_ = std::move(newer_);
  buffer_.clear();
  cutting_ = false;
  return true;
}

std::uint64_t SyslogFile::behind() const {
  struct stat held{};
  if (!fd_ || ::fstat(fd_.get(), &held) < 0) return 0;
  const off_t left = held.st_size - ::lseek(fd_.get(), 0, SEEK_CUR);
  return static_cast<std::uint64_t>(std::max<off_t>(left, 0));
}

void SyslogFile::skip() {
  if (!fd_) return;
  const std::uint64_t left = behind() + buffer_.size() - given_;
  const off_t after = ::lseek(fd_.get(), 0, SEEK_END);
  const std::uint64_t mean =
      lines_ > 0 ? std::max<std::uint64_t>(bytes_ / lines_, 1) : kUsualLineBytes;
  skipped_ += left / mean;
  buffer_.clear();
  given_ = 0;
  char last = '\n';
  if (after > 0 && ::pread(fd_.get(), &last, 1, after - 1) != 1) last = '\n';
  cutting_ = last != '\n';
}

}  // namespace virtseer::agent

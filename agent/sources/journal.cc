#include "agent/sources/journal.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <utility>
#include <vector>

#include "agent/child.h"

namespace virtseer::agent {
namespace {

/// What waits at most, about 200 entries.
constexpr int kPipeBytes = 128 * 1024;
constexpr std::size_t kReadBytes = 16 * 1024;
/// How far behind the reading may be when a round could not read all there was.
constexpr std::int64_t kMaxLagMs = 60'000;
constexpr std::int64_t kFirstWaitMs = 1000;
constexpr std::int64_t kLongestWaitMs = 60'000;
/// Ends in a row that are told.
constexpr unsigned kManyFailures = 3;

std::int64_t wallUs() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000;
}

/// The number in "s=...;i=1a2b;b=...": it counts the entries of all priorities.
std::uint64_t sequenceOf(std::string_view cursor) {
  const auto place = cursor.find(";i=");
  std::uint64_t sequence = 0;
  if (place != cursor.npos)
    std::from_chars(cursor.data() + place + 3, cursor.data() + cursor.size(), sequence, 16);
  return sequence;
}

/// Becomes journalctl: only its output leads to the agent, and nothing else is handed on.
[[noreturn]] void become(const std::string& program, int output, char* const* arguments) {
  static char locale[] = "LC_ALL=C.UTF-8", path[] = "PATH=/usr/bin:/bin";
  char* const environment[] = {locale, path, nullptr};
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(nothing, STDERR_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::execve(program.c_str(), arguments, environment);
  ::_exit(127);
}

}  // namespace

std::expected<void, std::string> Journal::usable(const std::string& root) {
  const std::string program = root + "/usr/bin/journalctl";
  if (!exists(root + "/run/systemd/journal") || ::access(program.c_str(), X_OK) != 0)
    return std::unexpected("there is no journal");
  const auto machine = readFile(root + "/etc/machine-id");
  for (const char* directory : {"/var/log/journal/", "/run/log/journal/"}) {
    const std::string file = root + directory + machine.value_or("") + "/system.journal";
    const Descriptor fd(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (fd) return {};
    if (errno == EACCES)
      return std::unexpected("the journal may not be read (group systemd-journal is lacking)");
  }
  return {};  // its first file is still to come
}

void Journal::open(const std::string& root) {
  close();
  program_ = root + "/usr/bin/journalctl";
  since_us_ = wallUs();
  cursor_.clear();
  skipping_ = false;
  start_ms_ = INT64_MIN;
  wait_ms_ = 0;
  failures_ = 0;
}

void Journal::close() {
  stop();
  program_.clear();
}

void Journal::beginRound(std::int64_t now_ms) {
  round_bytes_ = 0;
  if (!pipe_ && !program_.empty() && now_ms >= start_ms_) start();
}

void Journal::start() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return;
  pipe_ = Descriptor(ends[0]);
  const Descriptor output(ends[1]);
  ::fcntl(pipe_.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(pipe_.get(), F_SETPIPE_SZ, kPipeBytes);
  // A full pipe takes more than a round to read, so that it is known to have been full.
  const int held = ::fcntl(pipe_.get(), F_GETPIPE_SZ);
  round_limit_ = static_cast<std::size_t>(std::clamp(held, 4096, kPipeBytes)) / 4 * 3;

  std::vector<std::string> words{program_,  "--follow", "--no-tail",    "--no-pager",
                                 "--quiet", "--all",    "--output=json"};
  // Programs before systemd 236 do not know this; they tell all fields.
  if (failures_ % 4 < 2) words.push_back("--output-fields=" + std::string(JournalReader::kFields));
  char since[48];
  std::snprintf(since, sizeof since, "--since=@%lld.%06lld",
                static_cast<long long>(since_us_ / 1'000'000),
                static_cast<long long>(since_us_ % 1'000'000));
  words.push_back(cursor_.empty() ? since : "--after-cursor=" + cursor_);
  for (const char* match : {"PRIORITY=0", "PRIORITY=1", "PRIORITY=2", "PRIORITY=3", "PRIORITY=4",
                            // Programs that end by a signal are news of the kernel, no warnings.
                            "+", "_TRANSPORT=kernel", "PRIORITY=5", "PRIORITY=6",
                            // Restarts of units.
                            "+", "MESSAGE_ID=5eb03494b6584870a536b337290809b3"})
    words.emplace_back(match);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  child_ = forkChild([&] { become(program_, output.get(), arguments.data()); }, output.get());
  if (child_ < 0) stop();
}

void Journal::stop() {
  endChild(child_);
  child_ = 0;
  pipe_.reset();
  reader_.reset();
  rest_ = {};
}

std::optional<LogEntry> Journal::next(Scratch& scratch, std::int64_t now_ms) {
  while (pipe_) {
    if (reader_.next(rest_)) {
      const LogEntry entry = reader_.entry();
      noteEntry(entry);
      return entry;
    }
    if (round_bytes_ >= round_limit_) {
      skipIfLate(now_ms);
      return std::nullopt;
    }
    if (scratch.size() < kReadBytes) scratch.resize(kReadBytes);
    const ssize_t size = ::read(pipe_.get(), scratch.data(), kReadBytes);
    if (size < 0) return std::nullopt;
    if (size == 0) {
      ended(now_ms);
      return std::nullopt;
    }
    round_bytes_ += static_cast<std::size_t>(size);
    rest_ = std::string_view(scratch).substr(0, static_cast<std::size_t>(size));
  }
  return std::nullopt;
}

void Journal::noteEntry(const LogEntry& entry) {
  failures_ = 0;
  wait_ms_ = 0;
  if (entry.mono_us >= 0) last_us_ = entry.mono_us;
  if (reader_.cursor().empty()) return;
  cursor_ = reader_.cursor();
  const std::uint64_t sequence = sequenceOf(cursor_);
  if (std::exchange(skipping_, false) && sequence > sequence_ + 1)
    skipped_ += sequence - sequence_ - 1;
  sequence_ = sequence;
}

void Journal::ended(std::int64_t now_ms) {
  stop();
  ++failures_;
  wait_ms_ = std::clamp(wait_ms_ * 2, kFirstWaitMs, kLongestWaitMs);
  start_ms_ = now_ms + wait_ms_;
}

void Journal::skipIfLate(std::int64_t now_ms) {
  if (last_us_ < 0 || now_ms - last_us_ / 1000 <= kMaxLagMs) return;
  stop();
  since_us_ = wallUs();
  cursor_.clear();
  skipping_ = sequence_ != 0;
  start_ms_ = now_ms;
}

std::string Journal::trouble() const {
  if (failures_ < kManyFailures) return {};
  return program_ + " ended " + std::to_string(failures_) + " times without an entry";
}

}  // namespace virtseer::agent

#include "base/log.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/text.h"
#include "base/time.h"

namespace virtseer {
namespace {

std::atomic<Level> least_level{Level::info};

/// $JOURNAL_STREAM names the device and inode of standard error when it leads to the journal
/// (systemd.exec(5)).
bool journalIsStderr() {
  static const bool yes = [] {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status{};
    return stream != nullptr && fstat(STDERR_FILENO, &status) == 0 &&
           fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
  }();
  return yes;
}

int priority(Level level) {
  switch (level) {
    case Level::debug:
      return 7;
    case Level::info:
      return 6;
    case Level::warning:
      return 4;
    case Level::error:
      return 3;
  }
  return 6;
}

std::string_view word(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
  }
  return "info";
}

using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

void toJournal(Level level, std::string_view message, Fields fields) {
  std::vector<std::string> lines{fmt::format("PRIORITY={}", priority(level)),
                                 fmt::format("MESSAGE={}", message), "SYSLOG_IDENTIFIER=virtseer"};
  for (const auto& [key, value] : fields) lines.push_back(fmt::format("{}={}", key, value));
  std::vector<iovec> parts;
  for (auto& line : lines) parts.push_back({line.data(), line.size()});
  sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

void toStderr(Level level, std::string_view message, Fields fields) {
  std::string line =
      fmt::format("{} {}: {}", rfc3339(SystemClock().wall()), word(level), printable(message));
  for (const auto& [key, value] : fields) line += fmt::format(" {}={}", key, printable(value));
  line += '\n';
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void setLogLevel(Level least) {
  least_level = least;
}

bool setLogLevel(std::string_view name) {
  for (const Level level : {Level::debug, Level::info, Level::warning, Level::error}) {
    if (word(level) != name) continue;
    setLogLevel(level);
    return true;
  }
  return false;
}

void log(Level level, std::string_view message, Fields fields) noexcept {
  if (level < least_level.load(std::memory_order_relaxed)) return;
  try {
    journalIsStderr() ? toJournal(level, message, fields) : toStderr(level, message, fields);
  } catch (...) {  // out of memory while logging: the record is lost, the daemon is not
  }
}

}  // namespace virtseer

#include <utility>

#include "agent/source.h"
#include "agent/sources/journal.h"
#include "agent/sources/kernel_log.h"
#include "agent/sources/log_digest.h"
#include "agent/sources/syslog_file.h"

namespace virtseer::agent {
namespace {

/// What one round reads at most of the kernel's messages and of a file. What the kernel overwrites
/// meanwhile is counted as skipped; a file is skipped where more waits than can be caught up with.
constexpr std::uint64_t kKernelRoundBytes = 64 * 1024;
constexpr std::uint64_t kFileRoundBytes = 64 * 1024;
constexpr std::uint64_t kMaxFileLag = 1024 * 1024;
/// What is read of the messages from before the start; the kernel's ring is seldom larger.
constexpr std::uint64_t kPastBytes = 2 * 1024 * 1024;

LogEntry entryOf(const KernelRecord& record) {
  LogEntry entry;
  entry.priority = record.priority;
  entry.kernel = record.kernel;
  entry.kernel_us = record.stamp_us;
  entry.message = record.message;
  return entry;
}

class LogSource : public Source {
 public:
  std::string_view name() const override { return "logs"; }

  std::expected<void, std::string> open(const std::string& root) override {
    root_ = root;
    start(true);
    if (has_journal_ || kernel_ || file_) return {};
    return std::unexpected(std::move(lacks_));
  }

  void read(Round& round) override {
    if (has_journal_) {
      readJournal(round);
    } else {
      readKernel(round);
      readFile(round);
    }
    digest_.setSkipped(journal_.skipped() + kernel_lost_ + kernel_.lost() + file_skipped_ +
                       file_.skipped());
    digest_.report(round);
    last_round_ms_ = round.now_ms;
  }

  void select(bool on) override {
    stop();
    if (on) start(false);
  }

  std::string trouble() const override {
    std::string trouble = journal_.trouble();
    if (!trouble.empty() && !lacks_.empty()) trouble += "; ";
    return trouble + lacks_;
  }

 private:
  void start(bool with_past) {
    lacks_.clear();
    if (const auto usable = Journal::usable(root_)) {
      has_journal_ = true;
      journal_.open(root_);
    } else {
      lack(usable.error());
    }
    if (const auto opened = kernel_.open(root_ + "/dev/kmsg"); !opened)
      lack(has_journal_ ? "faults before the start: " + opened.error() : opened.error());
    else
      passOver(with_past);
    if (has_journal_)
      kernel_.close();
    else
      openFile();
  }

  void stop() {
    journal_.close();
    has_journal_ = false;
    kernel_lost_ += kernel_.lost();
    kernel_.close();
    file_skipped_ += file_.skipped();
    file_.close();
  }

  void lack(const std::string& what) { lacks_ += (lacks_.empty() ? "" : "; ") + what; }

  /// A system has one of them, or both with much of the same in them.
  void openFile() {
    const auto opened = file_.open(root_ + "/var/log/syslog");
    if (opened || file_.open(root_ + "/var/log/messages")) return;
    lack(opened.error());
  }

  /// Reads what the kernel has told so far.
  void passOver(bool with_past) {
    while (with_past && kernel_.bytes() < kPastBytes) {
      const auto record = kernel_.next();
      if (!record) break;
      if (record->kernel) digest_.takePast(entryOf(*record));
      past_until_us_ = std::max(past_until_us_, record->stamp_us);
    }
    kernel_.skip();
  }

  void readJournal(Round& round) {
    journal_.beginRound(round.now_ms);
    while (const auto entry = journal_.next(round.scratch, round.now_ms)) {
      // The journal may get from the kernel only now what was read as past already.
      const bool past =
          entry->kernel && entry->kernel_us >= 0 && entry->kernel_us <= past_until_us_;
      if (!past) digest_.take(*entry, 0, round.now_ms);
    }
  }

  void readKernel(Round& round) {
    const std::uint64_t end = kernel_.bytes() + kKernelRoundBytes;
    while (kernel_.bytes() < end) {
      const auto record = kernel_.next();
      if (!record) break;
      // What programs write there they also tell the log.
      if (record->kernel || !file_) digest_.take(entryOf(*record), last_round_ms_, round.now_ms);
    }
  }

  void readFile(Round& round) {
    file_.look();
    const std::uint64_t end = file_.bytes() + kFileRoundBytes;
    while (file_.bytes() < end) {
      const auto line = file_.next();
      if (!line) return;
      const auto entry = parseSyslogLine(*line);
      if (entry && !(entry->kernel && kernel_)) digest_.take(*entry, 0, round.now_ms);
    }
    if (file_.behind() > kMaxFileLag) file_.skip();
  }

  std::string root_;
  LogDigest digest_;
  Journal journal_;
  KernelLog kernel_;
  SyslogFile file_;
  bool has_journal_ = false;
  std::string lacks_;  ///< what cannot be read, and why
  std::int64_t past_until_us_ = -1;
  std::int64_t last_round_ms_ = 0;
  std::uint64_t kernel_lost_ = 0;  ///< by what was closed since
  std::uint64_t file_skipped_ = 0;
};

}  // namespace

SourcePointer makeLogSource() {
  return std::make_unique<LogSource>();
}

}  // namespace virtseer::agent

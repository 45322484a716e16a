#include "agent/sources/kernel_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/scan.h"
#include "agent/sources/log_entry.h"

namespace virtseer::agent {
namespace {

/// The kernel's longest record; a shorter buffer makes it refuse (CONSOLE_EXT_LOG_MAX).
constexpr std::size_t kMaxRecordBytes = 8192;
/// Overruns in a row, each of them by a writer that is faster than we are.
constexpr int kMaxOverruns = 16;

class KernelFileRecords : public KernelRecords {
 public:
  explicit KernelFileRecords(Descriptor fd) : fd_(std::move(fd)) {}

  ssize_t read(char* into, std::size_t room) override {
    const ssize_t size = ::read(fd_.get(), into, room);
    return size < 0 ? -errno : size;
  }
  void toEnd() override { ::lseek(fd_.get(), 0, SEEK_END); }

 private:
  Descriptor fd_;
};

constexpr int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::string_view unescaped(std::string_view message, std::string& text) {
  message = message.substr(0, kMaxLogMessageBytes * 4);
  if (message.find('\\') == message.npos) return message.substr(0, kMaxLogMessageBytes);
  text.clear();
  while (!message.empty() && text.size() < kMaxLogMessageBytes) {
    const bool escape = message.size() >= 4 && message.starts_with("\\x") &&
                        hexDigit(message[2]) >= 0 && hexDigit(message[3]) >= 0;
    text.push_back(escape ? static_cast<char>(hexDigit(message[2]) * 16 + hexDigit(message[3]))
                          : message.front());
    message.remove_prefix(escape ? 4 : 1);
  }
  return text;
}

std::optional<std::uint64_t> takeField(std::string_view& head) {
  const auto comma = head.find(',');
  const auto number = parseNumber(head.substr(0, comma));
  head.remove_prefix(comma == head.npos ? head.size() : comma + 1);
  return number;
}

}  // namespace

std::optional<KernelRecord> parseKernelRecord(std::string_view line, std::string& text) {
  const auto end = line.find(';');
  if (end == line.npos) return std::nullopt;
  std::string_view head = line.substr(0, end);
  const auto prefix = takeField(head);
  const auto sequence = takeField(head);
  const auto stamp = takeField(head);
  if (!prefix || !sequence || !stamp || *stamp > INT64_MAX || head.empty()) return std::nullopt;
  KernelRecord record;
  record.priority = static_cast<int>(*prefix & 7);
  record.kernel = *prefix >> 3 == 0;
  record.sequence = *sequence;
  record.stamp_us = static_cast<std::int64_t>(*stamp);
  record.message = unescaped(line.substr(end + 1), text);
  return record;
}

std::expected<void, std::string> KernelLog::open(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    const int error = errno;
    std::string why = path + ": " + errorText(error);
    if (error == EPERM || error == EACCES) why += " (CAP_SYSLOG is lacking)";
    return std::unexpected(std::move(why));
  }
  *this = KernelLog(std::make_unique<KernelFileRecords>(std::move(fd)));
  return {};
}

std::optional<KernelRecord> KernelLog::next() {
  while (records_ != nullptr) {
    const auto end = buffer_.find('\n', given_);
    if (end == buffer_.npos) {
      if (!fill()) return std::nullopt;
      continue;
    }
    const std::string_view line = std::string_view(buffer_).substr(given_, end - given_);
    given_ = end + 1;
    // Behind a record stand its properties, each on a line that begins with a blank.
    if (line.starts_with(' ')) continue;
    const auto record = parseKernelRecord(line, text_);
    if (!record) continue;
    if (expected_ && record->sequence > *expected_) lost_ += record->sequence - *expected_;
    expected_ = record->sequence + 1;
    return record;
  }
  return std::nullopt;
}

/// Reads on behind what was not yet given. False: there is no more for now.
bool KernelLog::fill() {
  buffer_.erase(0, given_);
  given_ = 0;
  if (buffer_.size() >= kMaxRecordBytes) buffer_.clear();  // one line without an end
  const std::size_t kept = buffer_.size();
  buffer_.resize(kept + kMaxRecordBytes);
  ssize_t size = -EPIPE;
  for (int i = 0; i < kMaxOverruns && (size == -EPIPE || size == -EINTR); ++i)
    size = records_->read(buffer_.data() + kept, kMaxRecordBytes);
  buffer_.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (size > 0) bytes_ += static_cast<std::uint64_t>(size);
  return size > 0;
}

void KernelLog::skip() {
  if (records_ == nullptr) return;
  records_->toEnd();
  buffer_.clear();
  given_ = 0;
}

}  // namespace virtseer::agent

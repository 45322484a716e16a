#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/sources/journal_json.h"
#include "agent/sources/kernel_log.h"
#include "agent/sources/log_digest.h"
#include "agent/sources/log_text.h"
#include "agent/sources/syslog_file.h"
#include "virtseer/echo/codec.h"

namespace {

using namespace virtseer;

void require(bool right) {
  if (!right) std::abort();
}

/// Lines of all three forms lead into one digest, as if they had happened in one guest.
struct Guest {
  agent::LogDigest digest;

  void take(const agent::LogEntry& entry) {
    require(entry.message.size() <= agent::kMaxLogMessageBytes);
    const std::string told = agent::toldMessage(entry.message);
    require(told.size() <= agent::kMaxToldBytes && echo::isPrintable(told));
    digest.take(entry, 500, 1000);
    if (entry.kernel && entry.kernel_us >= 0) digest.takePast(entry);
  }

  void readJournal(std::string_view bytes, std::size_t piece) {
    agent::JournalReader reader;
    while (!bytes.empty()) {
      std::string_view part = bytes.substr(0, piece);
      bytes.remove_prefix(part.size());
      while (reader.next(part)) take(reader.entry());
    }
  }

  void readLine(std::string_view line) {
    if (const auto entry = agent::parseSyslogLine(line)) take(*entry);
    std::string text;
    const auto record = agent::parseKernelRecord(line, text);
    agent::LogEntry entry;
    entry.message = record ? record->message : line.substr(0, agent::kMaxLogMessageBytes);
    entry.kernel_us = record ? record->stamp_us : 0;
    entry.kernel = true;
    take(entry);
    entry.kernel = false;
    entry.init = true;
    take(entry);
  }

  /// What is told is what the daemon takes.
  void report() {
    agent::Columns columns;
    agent::Row row;
    agent::Scratch scratch;
    agent::ReportBuilder builder;
    builder.clear();
    agent::Round round{columns, row, scratch, builder, 1000};
    digest.report(round);
    builder.finish();
    const std::string frame = echo::encode(echo::Echo{1, 1000, {}, builder.report()});
    const auto echo = echo::decodeEcho(std::string_view(frame).substr(echo::kHeaderBytes));
    require(echo && echo->report == builder.report());
  }
};

/// Pieces of any size give the same entries.
void compareCuts(std::string_view bytes, std::size_t piece) {
  agent::JournalReader whole, cut;
  std::string_view rest = bytes, part;
  while (whole.next(rest)) {
    bool found = false;
    while (!found) {
      if (part.empty()) {
        require(!bytes.empty());
        part = bytes.substr(0, piece);
        bytes.remove_prefix(part.size());
      }
      found = cut.next(part);
    }
    require(whole.entry().message == cut.entry().message && whole.cursor() == cut.cursor());
    require(whole.entry().priority == cut.entry().priority);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t piece = data[0] % 64 + std::size_t{1};
  Guest guest;
  guest.readJournal(bytes, piece);
  compareCuts(bytes, piece);
  for (std::string_view rest = bytes; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    guest.readLine(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  guest.report();
  return 0;
}

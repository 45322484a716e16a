#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/sources/log_entry.h"

namespace virtseer::agent {

/// Reads what `journalctl -o json` writes: one flat object a line, its values texts, null, arrays
/// of byte numbers (text that is not UTF-8), or arrays of such values (a field that occurs more
/// than once; the first counts). See "Journal JSON Format" in systemd's JOURNAL_EXPORT_FORMATS.
///
/// It takes bytes in pieces of any size and keeps of each wanted field a bounded beginning, so that
/// a line may be of any length. A line that is no such object is left out and counted.
class JournalReader {
 public:
  /// The fields that are wanted, for `journalctl --output-fields`.
  static constexpr std::string_view kFields =
      "PRIORITY,MESSAGE,MESSAGE_ID,SYSLOG_IDENTIFIER,_COMM,_PID,_SYSTEMD_UNIT,_TRANSPORT,UNIT,"
      "UNIT_RESULT,N_RESTARTS,_SOURCE_MONOTONIC_TIMESTAMP,COREDUMP_PID,COREDUMP_COMM,"
      "COREDUMP_UNIT,COREDUMP_SIGNAL_NAME";

  /// Takes bytes off the front. True: an entry is complete, and `entry` and `cursor` tell it until
  /// the next call. False: all bytes were taken.
  bool next(std::string_view& bytes);

  LogEntry entry() const;
  /// Where the entry stands in the journal; empty if that was not told.
  std::string_view cursor() const { return fields_[kCursor].text; }

  /// Forgets a line that was begun.
  void reset();
  /// Lines that could not be understood.
  std::uint64_t faults() const { return faults_; }

 private:
  enum Name : std::size_t {
    kCursor,
    kMonotonic,
    kPriority,
    kMessage,
    kMessageId,
    kIdentifier,
    kComm,
    kPid,
    kSystemdUnit,
    kTransport,
    kUnit,
    kUnitResult,
    kRestarts,
    kSourceMonotonic,
    kCoredumpPid,
    kCoredumpComm,
    kCoredumpUnit,
    kCoredumpSignal,
    kNames
  };
  enum class State : std::uint8_t {
    line,        ///< before the object
    first_key,   ///< a key or the end of the object
    key,         ///< a key must follow
    in_key,      ///< within a key's text
    colon,       ///< between a key and its value
    value,       ///< before a value
    in_text,     ///< within a text
    escape,      ///< behind a backslash
    unicode,     ///< within four hexadecimal digits
    in_null,     ///< within the word null
    in_number,   ///< within a number
    first_item,  ///< an array's first value or its end
    item_end,    ///< behind an array's value
    value_end,   ///< behind a field's value
    object_end,  ///< behind the object
    broken       ///< the rest of the line is skipped
  };
  struct Field {
    std::string text;
    bool told = false;
  };

  bool step(char c);
  bool endLine();
  void fail() { state_ = State::broken; }
  void beginLine();
  void endKey();
  void beginValue(char c);
  void endArray();
  void endValue();
  void digit(char c);
  void escaped(char c);
  void codePoint();
  void keepSurrogate();
  std::string_view takeSimple(std::string_view bytes);
  void keep(std::string_view text);
  void keep(char c) { keep(std::string_view(&c, 1)); }
  static std::size_t nameOf(std::string_view key);
  static std::size_t roomOf(std::size_t name);

  std::array<Field, kNames> fields_;
  std::string key_;
  State state_ = State::line;
  std::size_t name_ = kNames;  ///< of the value being read; kNames: not wanted
  bool in_key_ = false;        ///< whether the text being read is a key
  bool keeping_ = false;       ///< whether the value being read is the one that counts
  int depth_ = 0;              ///< arrays around the value
  unsigned number_ = 0;
  int digits_ = 0;
  unsigned code_ = 0;
  unsigned high_surrogate_ = 0;
  std::uint64_t faults_ = 0;
};

}  // namespace virtseer::agent

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

/// What an echo tells beside its row of numbers: tables of what is there now (processes, peers,
/// services), and what happened since the echo before. Plain values and limits; how they become
/// bytes: report_codec.h. Which tables there are, with their columns: docs/echo.md.
namespace virtseer::echo {

inline constexpr std::size_t kMaxTables = 16;
inline constexpr std::size_t kMaxTableColumns = 32;
inline constexpr std::size_t kMaxTableRows = 256;
inline constexpr std::size_t kMaxHappenings = 64;
inline constexpr std::size_t kMaxHappeningFields = 8;
/// Of a happening's message: UTF-8 without control characters.
inline constexpr std::size_t kMaxMessageBytes = 1024;
/// What tables and happenings of one echo may take together, as bytes on the wire.
inline constexpr std::size_t kMaxReportBytes = 64 * 1024;

/// Absent, a number, or text of at most kMaxTextBytes.
using Cell = std::variant<std::monostate, double, std::string>;

/// What is there at the moment of an echo. A number's unit is in its column's name.
struct Table {
  std::string name;                  ///< as in names of metrics
  std::vector<std::string> columns;  ///< the same
  std::vector<Cell> cells = {};      ///< row after row

  std::size_t rows() const { return columns.empty() ? 0 : cells.size() / columns.size(); }

  bool operator==(const Table&) const = default;
};

enum class HappeningSeverity : std::uint8_t { info = 0, warning = 1, error = 2 };

/// Something that happened in the guest: becomes an event beside the VM.
struct Happening {
  std::string kind;  ///< dotted names, the first of them guest: guest.oom_kill
  HappeningSeverity severity = HappeningSeverity::info;
  std::int64_t mono_ms = 0;  ///< when (last), on the clock of Echo::mono_ms
  std::uint32_t count = 1;   ///< how often since the echo before
  std::string message;       ///< for a person
  std::map<std::string, std::string> fields = {};

  bool operator==(const Happening&) const = default;
};

struct Report {
  std::vector<Table> tables;  ///< no two of one name
  std::vector<Happening> happenings;

  bool empty() const { return tables.empty() && happenings.empty(); }
  bool operator==(const Report&) const = default;
};

}  // namespace virtseer::echo

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/source.h"

namespace virtseer::agent {

/// What datagrams in StatsD's format add up to: lines NAME:VALUE|TYPE[|@RATE][|#TAGS], of counters
/// (c), gauges (g) and timers (ms). Told as app_NAME..., with the label protocol="statsd". One run
/// of the agent has kMaxNames; lines that find no room, or are not of this form, are counted.
class StatsdTotals {
 public:
  static constexpr std::size_t kMaxNames = 200;

  void take(std::string_view datagram);
  /// Counts datagrams that were not read.
  void drop(std::uint64_t datagrams) { dropped_ += datagrams; }
  void tell(Round& round);

 private:
  enum class Type : std::uint8_t { counter, gauge, timer };
  static constexpr std::size_t kMostColumns = 3;

  struct Key {
    std::string name;
    Type type = Type::counter;

    auto operator<=>(const Key&) const = default;
  };
  struct Line {
    Key key;
    double value = 0;
    double weight = 1;  ///< how many samples it stands for
    bool step = false;  ///< of a gauge: it changes by `value`
  };
  struct Total {
    double sum = 0;      ///< of a counter or timer; what a gauge is now
    double count = 0;    ///< of a timer
    double most = 0;     ///< of a timer since it was last told
    bool fresh = false;  ///< a timer was taken since then
    bool declared = false;
    std::array<Column, kMostColumns> columns{};
  };

  static std::optional<Line> parse(std::string_view text);
  static std::vector<std::string> metricsOf(const Key& key);
  bool add(const Line& line);
  Total* find(const Key& key);
  static void tell(Round& round, const Key& key, Total& total);

  std::map<Key, Total> totals_;
  std::set<std::string> told_;  ///< no two totals are told by the same name
  std::uint64_t taken_ = 0;
  std::uint64_t dropped_ = 0;
  Column taken_column_ = kNoColumn;
  Column dropped_column_ = kNoColumn;
};

}  // namespace virtseer::agent

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/source.h"

namespace virtseer::agent {

struct Process;

/// What processes belong to: a unit of the service manager, a container, or else their own name;
/// and the series by it. Names come from hostile guests, so both what is known by name at a time
/// and the series of one run are bounded; what finds no room goes into "other".
class ProcessUnits {
 public:
  using Id = std::uint16_t;
  enum class Kind : std::uint8_t { other, kernel, service, container, name };

  static constexpr std::size_t kMostUnits = 256;
  static constexpr std::size_t kMostGroups = 48;
  /// Names of processes and of containers must not crowd out the services.
  static constexpr std::size_t kMostGroupsOfNames = 24;

  /// What stands for all that found no room.
  static constexpr Id kOther = 0;

  /// When the main process of a unit ended last.
  struct MainEnd {
    std::int32_t pid = 0;  ///< 0: it did not
    std::int64_t at_ms = 0;
  };

  ProcessUnits();

  Id join(Kind kind, std::string_view name);
  void leave(Id id);
  /// Members that joined and did not leave.
  std::size_t members(Id id) const { return units_[id].members; }
  Kind kind(Id id) const { return units_[id].kind; }
  /// The unit's or container's name; empty for processes that belong to none.
  std::string_view name(Id id) const;
  MainEnd& mainEnd(Id id) { return units_[id].main_end; }

  /// What a member used since it was asked last. Never taken back, so that no series falls.
  void addCpu(Id id, std::int64_t ns);
  void addIo(Id id, std::uint64_t read_bytes, std::uint64_t write_bytes);

  /// Sets every group's values of this round.
  void write(Round& round, std::span<const Process> processes);

 private:
  enum Value { cpu, memory, count, read, written, values };
  struct Unit {
    std::string name;
    Kind kind = Kind::other;
    std::uint16_t group = 0;
    std::uint32_t members = 0;
    MainEnd main_end;
  };
  struct Group {
    std::string label;
    bool is_told = false;
    bool has_io = false;
    bool is_io_told = false;
    std::int64_t cpu_ns = 0;
    std::uint64_t read_bytes = 0, write_bytes = 0;
    std::uint64_t resident_pages = 0;
    std::uint32_t processes = 0;
    std::array<Column, values> columns{};
  };

  std::uint16_t groupOf(Kind kind, std::string_view name);
  void writeGroup(Round& round, Group& group) const;

  std::vector<Unit> units_;
  std::vector<Group> groups_;
  std::size_t groups_of_names_ = 0;
  const double page_bytes_;
};

}  // namespace virtseer::agent

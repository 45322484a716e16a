#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "virtseer/echo/report.h"

namespace virtseer::agent {

/// The tables and happenings of one round, kept within what an echo may carry; what finds no room
/// is left out and counted. Texts are cleaned here: sources hand in what they read.
class ReportBuilder {
 public:
  /// Writes the rows of one table, cell by cell.
  class TableWriter {
   public:
    /// Begins a row. False: there is no room, and its cells go nowhere.
    bool row();
    void number(double value);  ///< what is not finite is absent
    void text(std::string_view text);
    void absent();

   private:
    friend class ReportBuilder;
    TableWriter(ReportBuilder& owner, std::optional<std::size_t> table)
        : owner_(owner), table_(table) {}
    void put(echo::Cell cell, std::size_t bytes);

    ReportBuilder& owner_;
    std::optional<std::size_t> table_;
    bool writing_ = false;
  };

  /// A new table, to be written before the next one is begun. Each row has as many cells as there
  /// are `columns`; what lacks at a row's end is absent.
  TableWriter table(std::string_view name, std::initializer_list<std::string_view> columns);

  /// False: it found no room.
  bool happened(echo::Happening happening);

  /// Rows, tables and happenings that found no room since the start.
  std::uint64_t refused() const { return refused_; }

  const echo::Report& report() const { return report_; }
  /// Finishes the last row and forgets what was reported.
  void clear();
  /// Fills the last row up; to be called before report() is used.
  void finish();

 private:
  void fillRow();

  echo::Report report_;
  std::size_t bytes_ = 0;  ///< at least what the report takes on the wire
  std::uint64_t refused_ = 0;
  bool row_is_empty_ = false;  ///< the last row was begun and has no cell yet
};

}  // namespace virtseer::agent

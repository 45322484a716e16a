#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "virtseer/echo/cbor.h"
#include "virtseer/echo/checked.h"
#include "virtseer/echo/report.h"
#include "virtseer/echo/text.h"
#include "virtseer/echo/wire.h"

/// Reports to bytes and back, as the fourth and fifth item of an echo's body:
///
///     tables      [[name, [column, ...], [cell, ...]], ...]      cell: null, a number or text
///     happenings  [[kind, severity, mono_ms, count, message, {field: text}], ...]
namespace virtseer::echo::detail {

inline void put(CborWriter& cbor, const Cell& cell) {
  if (const auto* number = std::get_if<double>(&cell))
    cbor.number(*number);
  else if (const auto* text = std::get_if<std::string>(&cell))
    cbor.text(*text);
  else
    cbor.null();
}

inline void put(CborWriter& cbor, const Table& table) {
  cbor.array(3);
  cbor.text(table.name);
  cbor.array(table.columns.size());
  for (const std::string& column : table.columns) cbor.text(column);
  cbor.array(table.cells.size());
  for (const Cell& cell : table.cells) put(cbor, cell);
}

inline void put(CborWriter& cbor, const Happening& happening) {
  cbor.array(6);
  cbor.text(happening.kind);
  cbor.unsignedInt(static_cast<std::uint64_t>(happening.severity));
  cbor.integer(happening.mono_ms);
  cbor.unsignedInt(happening.count);
  cbor.text(happening.message);
  cbor.map(happening.fields.size());
  for (const auto& [field, text] : happening.fields) {
    cbor.text(field);
    cbor.text(text);
  }
}

/// Both items.
inline void put(CborWriter& cbor, const Report& report) {
  cbor.array(report.tables.size());
  for (const Table& table : report.tables) put(cbor, table);
  cbor.array(report.happenings.size());
  for (const Happening& happening : report.happenings) put(cbor, happening);
}

/// Steps over what a later version may have put behind the `fields` items of an array of `count`.
inline void stepOver(CborReader& cbor, std::size_t count, std::size_t fields) {
  for (std::size_t i = fields; i < count && cbor.ok(); ++i) cbor.skip();
}

inline std::size_t openItem(CborReader& cbor, std::size_t fields) {
  const std::size_t count = cbor.array(fields + 16);
  if (cbor.ok() && count < fields) cbor.fail("fields are missing");
  return count;
}

inline Cell takeCell(CborReader& cbor) {
  if (cbor.null()) return {};
  if (cbor.atText()) return checkedText(cbor, kMaxTextBytes);
  const double value = cbor.number();
  if (std::isnan(value)) return {};
  return value;
}

inline Table takeTable(CborReader& cbor) {
  Table table;
  const std::size_t count = openItem(cbor, 3);
  table.name = checkedName(cbor);
  const std::size_t columns = cbor.array(kMaxTableColumns);
  if (cbor.ok() && columns == 0) cbor.fail("a table has no columns");
  for (std::size_t i = 0; i < columns && cbor.ok(); ++i) {
    table.columns.push_back(checkedName(cbor));
    if (std::find(table.columns.begin(), table.columns.end() - 1, table.columns.back()) !=
        table.columns.end() - 1)
      cbor.fail("a column occurs twice");
  }
  const std::size_t cells = cbor.array(kMaxTableRows * columns);
  if (cbor.ok() && cells % columns != 0) cbor.fail("a table's last row is not whole");
  if (cbor.ok()) table.cells.reserve(cells);
  for (std::size_t i = 0; i < cells && cbor.ok(); ++i) table.cells.push_back(takeCell(cbor));
  stepOver(cbor, count, 3);
  return table;
}

inline Happening takeHappening(CborReader& cbor) {
  Happening happening;
  const std::size_t count = openItem(cbor, 6);
  const std::string_view kind = cbor.text(kMaxNameBytes);
  if (cbor.ok() && !isKind(kind)) cbor.fail("a happening's kind is not dotted names after guest");
  happening.kind = cbor.ok() ? kind : std::string_view{};
  happening.severity = static_cast<HappeningSeverity>(
      cbor.unsignedInt(static_cast<std::uint64_t>(HappeningSeverity::error)));
  happening.mono_ms = cbor.integer();
  happening.count = static_cast<std::uint32_t>(cbor.unsignedInt(0xffffffff));
  happening.message = checkedText(cbor, kMaxMessageBytes);
  const std::size_t fields = cbor.map(kMaxHappeningFields);
  for (std::size_t i = 0; i < fields && cbor.ok(); ++i) {
    std::string field = checkedName(cbor);
    std::string text = checkedText(cbor, kMaxTextBytes);
    if (cbor.ok() && !happening.fields.emplace(std::move(field), std::move(text)).second)
      cbor.fail("a key occurs twice");
  }
  stepOver(cbor, count, 6);
  return happening;
}

inline void takeTables(CborReader& cbor, Report& report) {
  const std::size_t tables = cbor.array(kMaxTables);
  for (std::size_t i = 0; i < tables && cbor.ok(); ++i) {
    Table table = takeTable(cbor);
    for (const Table& other : report.tables)
      if (cbor.ok() && other.name == table.name) cbor.fail("a table occurs twice");
    report.tables.push_back(std::move(table));
  }
}

inline void takeHappenings(CborReader& cbor, Report& report) {
  const std::size_t happenings = cbor.array(kMaxHappenings);
  for (std::size_t i = 0; i < happenings && cbor.ok(); ++i)
    report.happenings.push_back(takeHappening(cbor));
}

}  // namespace virtseer::echo::detail

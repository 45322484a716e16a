#include "agent/report_builder.h"

#include <cmath>
#include <string>
#include <utility>

#include "virtseer/echo/text.h"

namespace virtseer::agent {
namespace {

/// CBOR's longest heads of a number and of a text.
constexpr std::size_t kNumberBytes = 9;
constexpr std::size_t kTextHeadBytes = 3;
/// Heads of a table or happening and of its parts.
constexpr std::size_t kFrameBytes = 24;

}  // namespace

ReportBuilder::TableWriter ReportBuilder::table(std::string_view name,
                                                std::initializer_list<std::string_view> columns) {
  fillRow();
  std::size_t bytes = kFrameBytes + name.size();
  for (const std::string_view column : columns) bytes += kTextHeadBytes + column.size();
  if (report_.tables.size() >= echo::kMaxTables || bytes_ + bytes > echo::kMaxReportBytes) {
    ++refused_;
    return {*this, std::nullopt};
  }
  bytes_ += bytes;
  echo::Table& table = report_.tables.emplace_back();
  table.name = name;
  table.columns.assign(columns.begin(), columns.end());
  return {*this, report_.tables.size() - 1};
}

bool ReportBuilder::TableWriter::row() {
  writing_ = false;
  if (!table_) return false;
  owner_.fillRow();
  const echo::Table& table = owner_.report_.tables[*table_];
  // Room for the shortest row; a cell that finds none is absent.
  if (table.rows() >= echo::kMaxTableRows ||
      owner_.bytes_ + table.columns.size() * kNumberBytes > echo::kMaxReportBytes) {
    ++owner_.refused_;
    return false;
  }
  owner_.bytes_ += table.columns.size();
  owner_.row_is_empty_ = true;
  writing_ = true;
  return true;
}

void ReportBuilder::TableWriter::put(echo::Cell cell, std::size_t bytes) {
  if (!writing_) return;
  if (owner_.bytes_ + bytes > echo::kMaxReportBytes) {
    cell = {};
    bytes = 0;
  }
  owner_.bytes_ += bytes;
  owner_.row_is_empty_ = false;
  auto& table = owner_.report_.tables[*table_];
  table.cells.push_back(std::move(cell));
  if (table.cells.size() % table.columns.size() == 0) writing_ = false;
}

void ReportBuilder::TableWriter::number(double value) {
  if (std::isfinite(value))
    put(value, kNumberBytes);
  else
    absent();
}

void ReportBuilder::TableWriter::text(std::string_view text) {
  std::string clean = echo::cleanText(text);
  const std::size_t bytes = kTextHeadBytes + clean.size();
  put(std::move(clean), bytes);
}

void ReportBuilder::TableWriter::absent() {
  put({}, 0);
}

bool ReportBuilder::happened(echo::Happening happening) {
  happening.message = echo::cleanText(happening.message, echo::kMaxMessageBytes);
  std::size_t bytes = kFrameBytes + happening.kind.size() + happening.message.size();
  for (auto& [field, text] : happening.fields) {
    text = echo::cleanText(text);
    bytes += 2 * kTextHeadBytes + field.size() + text.size();
  }
  if (report_.happenings.size() >= echo::kMaxHappenings ||
      happening.fields.size() > echo::kMaxHappeningFields ||
      bytes_ + bytes > echo::kMaxReportBytes) {
    ++refused_;
    return false;
  }
  bytes_ += bytes;
  report_.happenings.push_back(std::move(happening));
  return true;
}

void ReportBuilder::fillRow() {
  if (report_.tables.empty()) return;
  auto& table = report_.tables.back();
  if (std::exchange(row_is_empty_, false)) table.cells.emplace_back();
  while (table.cells.size() % table.columns.size() != 0) table.cells.emplace_back();
}

void ReportBuilder::finish() {
  fillRow();
}

void ReportBuilder::clear() {
  report_.tables.clear();
  report_.happenings.clear();
  row_is_empty_ = false;
  bytes_ = 2 * kTextHeadBytes;
}

}  // namespace virtseer::agent

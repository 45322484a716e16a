#include "cli/columns.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>

#include "base/text.h"

namespace virtseer::cli {
namespace {

/// The code point at the start of well-formed, not empty UTF-8, and its length in bytes.
std::pair<std::uint32_t, std::size_t> codePoint(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = std::min<std::size_t>(lead >= 0xF0   ? 4
                                                   : lead >= 0xE0 ? 3
                                                                  : 2,
                                                   text.size());
  std::uint32_t point = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i)
    point = point << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  return {point, length};
}

std::size_t width(std::uint32_t point) {
  const auto within = [&](std::uint32_t first, std::uint32_t last) {
    return point >= first && point <= last;
  };
  if (within(0x300, 0x36F) || within(0x200B, 0x200F) || within(0xFE00, 0xFE0F) ||
      within(0x20D0, 0x20FF))
    return 0;
  // East Asian wide and fullwidth blocks, and pictographs (Unicode TR 11).
  const bool wide = within(0x1100, 0x115F) || within(0x2E80, 0xA4CF) || within(0xAC00, 0xD7A3) ||
                    within(0xF900, 0xFAFF) || within(0xFE30, 0xFE6F) || within(0xFF00, 0xFF60) ||
                    within(0xFFE0, 0xFFE6) || within(0x1F300, 0x1F64F) ||
                    within(0x1F900, 0x1F9FF) || within(0x20000, 0x3FFFD);
  return wide ? 2 : 1;
}

}  // namespace

std::size_t displayWidth(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const auto [point, length] = codePoint(text);
    columns += width(point);
    text.remove_prefix(length);
  }
  return columns;
}

std::string elided(std::string_view text, std::size_t most) {
  if (displayWidth(text) <= most) return std::string(text);
  std::size_t bytes = 0, columns = 0;
  while (bytes < text.size()) {
    const auto [point, length] = codePoint(text.substr(bytes));
    if (columns + width(point) + 1 > most) break;
    columns += width(point), bytes += length;
  }
  return std::string(text.substr(0, bytes)) + "…";
}

void Columns::add(std::vector<std::string> cells) {
  cells.resize(headers_.size());
  for (std::string& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Columns::widths(const Rows& rows) const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < headers_.size(); ++i) {
    std::size_t widest = displayWidth(headers_[i].name);
    for (const auto& row : rows) widest = std::max(widest, displayWidth(row[i]));
    out.push_back(widest);
  }
  return out;
}

Columns::Rows Columns::fitted(std::size_t room) const {
  Rows rows = rows_;
  for (std::size_t i = 0; i + 1 < headers_.size(); ++i) {
    const auto wide = widths(rows);
    if (room == kNoLimit ||
        std::accumulate(wide.begin(), wide.end(), 2 * (wide.size() - 1)) <= room)
      break;
    std::map<std::string, std::string> whole;
    bool alike = false;
    for (const auto& row : rows) {
      const auto [known, fresh] = whole.emplace(elided(row[i], headers_[i].widest), row[i]);
      alike = alike || (!fresh && known->second != row[i]);
    }
    if (alike) continue;
    for (auto& row : rows) row[i] = elided(row[i], headers_[i].widest);
  }
  return rows;
}

std::string Columns::text(std::size_t room) const {
  const Rows rows = fitted(room);
  const std::vector<std::size_t> widths = this->widths(rows);
  std::string out;
  const auto line = [&](const auto& cell) {
    std::string text;
    for (std::size_t i = 0; i < headers_.size(); ++i) {
      const std::string padding(widths[i] - displayWidth(cell(i)), ' ');
      text += i == 0 ? "" : "  ";
      text += headers_[i].align == Align::right ? padding + cell(i) : cell(i) + padding;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  line([&](std::size_t i) { return headers_[i].name; });
  for (const auto& row : rows) line([&](std::size_t i) { return row[i]; });
  return out;
}

}  // namespace virtseer::cli

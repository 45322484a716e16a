#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace virtseer::cli {

/// The width of what is no terminal.
inline constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

enum class Align { left, right };

/// Text in columns: a line of headers, then rows, each column as wide as its widest cell.
class Columns {
 public:
  struct Header {
    std::string name;
    Align align = Align::left;
    std::size_t widest = 40;  ///< what is longer is cut where there is no room for it; see text()
  };
  explicit Columns(std::vector<Header> headers) : headers_(std::move(headers)) {}

  /// As many cells as headers. Control characters are escaped.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  /// Lines of `room` columns where that can be reached by cutting cells to their header's `widest`;
  /// the last column is never cut, nor one whose cells would then look alike.
  std::string text(std::size_t room = kNoLimit) const;

 private:
  using Rows = std::vector<std::vector<std::string>>;
  std::vector<std::size_t> widths(const Rows& rows) const;
  Rows fitted(std::size_t room) const;

  std::vector<Header> headers_;
  std::vector<std::vector<std::string>> rows_;
};

/// How many columns of a terminal well-formed UTF-8 takes: one per code point, two for wide
/// scripts, none for combining marks.
std::size_t displayWidth(std::string_view text);

/// `text` cut to `width` columns, with an ellipsis if something is missing.
std::string elided(std::string_view text, std::size_t width);

}  // namespace virtseer::cli

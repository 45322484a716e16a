#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace virtseer::cli {

enum class Align { left, right };

/// Text in columns: a line of headers, then rows, each column as wide as its widest cell.
class Columns {
 public:
  struct Header {
    std::string name;
    Align align = Align::left;
    std::size_t widest = 40;  ///< longer cells end in an ellipsis; the last column is never cut
  };
  explicit Columns(std::vector<Header> headers) : headers_(std::move(headers)) {}

  /// As many cells as headers. Control characters are escaped.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  std::string text() const;

 private:
  std::vector<Header> headers_;
  std::vector<std::vector<std::string>> rows_;
};

/// How many columns of a terminal well-formed UTF-8 takes: one per code point, two for wide
/// scripts, none for combining marks.
std::size_t displayWidth(std::string_view text);

/// `text` cut to `width` columns, with an ellipsis if something is missing.
std::string elided(std::string_view text, std::size_t width);

}  // namespace virtseer::cli

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/columns.h"

namespace virtseer::cli {

/// Headings with indented lines `name  value` below them, the values in one column. What is given
/// must be free of control characters; see printable().
class Page {
 public:
  explicit Page(std::string title) : out_(std::move(title) + "\n") {}

  void heading(std::string_view text);
  void line(std::string_view name, std::string_view value);
  void item(std::string_view text);
  /// A heading with items below it; nothing if there are none. Control characters are escaped.
  void list(std::string_view title, const std::vector<std::string>& items);
  /// A heading with a table below it; nothing if that is empty.
  void table(std::string_view title, const Columns& table, std::size_t room = kNoLimit);
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace virtseer::cli

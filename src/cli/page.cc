#include "cli/page.h"

#include <fmt/format.h>

#include "base/text.h"

namespace virtseer::cli {
namespace {

constexpr std::string_view kIndent = "  ";

}  // namespace

void Page::heading(std::string_view text) {
  out_ += fmt::format("\n{}\n", text);
}

void Page::line(std::string_view name, std::string_view value) {
  constexpr std::size_t kValueColumn = 18;
  const std::size_t used = displayWidth(name) + 2;
  out_ += fmt::format("{}{}{}{}\n", kIndent, name,
                      std::string(used + 2 < kValueColumn ? kValueColumn - used : 2, ' '), value);
}

void Page::item(std::string_view text) {
  out_ += fmt::format("{}- {}\n", kIndent, text);
}

void Page::list(std::string_view title, const std::vector<std::string>& items) {
  if (items.empty()) return;
  heading(title);
  for (const std::string& text : items) item(printable(text));
}

void Page::table(std::string_view title, const Columns& table, std::size_t room) {
  if (table.empty()) return;
  heading(title);
  const std::string text =
      table.text(room == kNoLimit || room <= kIndent.size() ? room : room - kIndent.size());
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = rest.find('\n');
    out_ += fmt::format("{}{}\n", kIndent, rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
}

}  // namespace virtseer::cli

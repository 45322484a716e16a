#include "collect/proc_files.h"

#include <charconv>
#include <fstream>

namespace virtseer::collect {

std::optional<std::string> readText(const std::filesystem::path& file) {
  constexpr std::size_t kMost = 256 * 1024;
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  std::string text(kMost, '\0');
  in.read(text.data(), static_cast<std::streamsize>(kMost));
  if (in.bad()) return std::nullopt;
  text.resize(static_cast<std::size_t>(in.gcount()));
  // A file of the kernel is never empty where it can be read at all (cpuset lists apart).
  if (text.empty()) return std::nullopt;
  return text;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> words(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n";
  std::vector<std::string_view> out;
  for (std::size_t begin = text.find_first_not_of(kSpace); begin != std::string_view::npos;) {
    const auto end = std::min(text.find_first_of(kSpace, begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kSpace, end);
  }
  return out;
}

std::optional<std::uint64_t> readNumber(const std::filesystem::path& file) {
  const auto text = readText(file);
  if (!text) return std::nullopt;
  const auto parts = words(*text);
  return parts.size() == 1 ? number(parts.front()) : std::nullopt;
}

std::map<std::string, std::uint64_t, std::less<>> readTable(const std::filesystem::path& file) {
  std::map<std::string, std::uint64_t, std::less<>> out;
  const auto text = readText(file);
  if (!text) return out;
  for (std::size_t begin = 0; begin < text->size();) {
    const auto end = std::min(text->find('\n', begin), text->size());
    const auto parts = words(std::string_view(*text).substr(begin, end - begin));
    begin = end + 1;
    if (parts.size() < 2) continue;
    auto key = parts[0];
    if (key.ends_with(':')) key.remove_suffix(1);
    if (const auto value = number(parts[1])) out.emplace(key, *value);
  }
  return out;
}

std::optional<std::uint32_t> cpusInList(std::string_view list) {
  constexpr std::uint64_t kMost = 65536;
  const auto parts = words(list);
  if (parts.size() != 1) return std::nullopt;
  std::uint64_t count = 0;
  for (std::string_view rest = parts.front(); !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto range = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const auto dash = range.find('-');
    const auto first = number(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number(range.substr(dash + 1));
    if (!first || !last || *last < *first || *last >= kMost) return std::nullopt;
    count += *last - *first + 1;
  }
  if (count == 0 || count > kMost) return std::nullopt;
  return static_cast<std::uint32_t>(count);
}

std::optional<std::uint64_t> pressureTotal(std::string_view text, std::string_view line) {
  constexpr std::string_view kTotal = "total=";
  bool inside = false;
  for (const auto word : words(text)) {
    if (word == "some" || word == "full")
      inside = word == line;
    else if (inside && word.starts_with(kTotal))
      return number(word.substr(kTotal.size()));
  }
  return std::nullopt;
}

}  // namespace virtseer::collect

#include "api/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace virtseer::api {
namespace {

/// Spans beyond it leave the calendar that rfc3339() can write.
constexpr Millis kLongestSpan = std::chrono::hours(24 * 365 * 100);

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string shown(std::string_view text) {
  constexpr std::size_t kShown = 80;
  if (text.size() <= kShown) return "\"" + printable(text) + "\"";
  return "\"" + printable(text.substr(0, kShown)) + "...\"";
}

/// Cuts `text` at the first `mark`; what follows it stays in `text`, empty if there is none.
std::string_view cut(std::string_view& text, char mark) {
  const auto at = text.find(mark);
  const auto piece = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return piece;
}

Result<Query> parseQuery(std::string_view raw) {
  Query out;
  while (!raw.empty()) {
    std::string_view value = cut(raw, '&');
    if (value.empty()) continue;
    if (out.size() == kMaxParameters)
      return fail(Code::invalid, fmt::format("more than {} query parameters", kMaxParameters));
    auto key = percentDecode(cut(value, '='), true);
    if (!key) return fail(key.error());
    auto decoded = percentDecode(value, true);
    if (!decoded) return fail(decoded.error().in("parameter " + shown(*key)));
    out.emplace_back(std::move(*key), std::move(*decoded));
  }
  return out;
}

/// A `+` of an offset that was not written as %2B arrives as a space.
std::optional<Timestamp> absoluteMoment(std::string text) {
  if (text.size() > 6 && text[text.size() - 6] == ' ') text[text.size() - 6] = '+';
  return parseRfc3339(text);
}

}  // namespace

Result<std::string> percentDecode(std::string_view text, bool form) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (form && c == '+') {
      c = ' ';
    } else if (c == '%') {
      const int high = i + 2 < text.size() ? hexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return fail(Code::invalid, shown(text) +
                                       ": % must be followed by two hex digits; write a "
                                       "percent sign as %25");
      c = static_cast<char>(high << 4 | low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return fail(Code::invalid, shown(text) + ": control characters are not accepted");
    out += c;
  }
  if (!isUtf8(out)) return fail(Code::invalid, shown(text) + " is not UTF-8");
  return out;
}

Result<Target> parseTarget(std::string_view raw) {
  if (raw.empty() || raw.front() != '/')
    return fail(Code::invalid, "the request target must be a path that begins with /");
  if (raw.find('#') != std::string_view::npos)
    return fail(Code::invalid, "the request target has a #; write it as %23");
  Target out;
  std::string_view path = cut(raw, '?').substr(1);
  for (bool more = true; more;) {
    more = path.find('/') != std::string_view::npos;
    if (out.path.size() == kMaxSegments)
      return fail(Code::invalid, fmt::format("the path has more than {} segments", kMaxSegments));
    auto segment = percentDecode(cut(path, '/'), false);
    if (!segment) return fail(segment.error().in("path"));
    out.path.push_back(std::move(*segment));
  }
  auto query = parseQuery(raw);
  if (!query) return fail(query.error());
  out.query = std::move(*query);
  return out;
}

std::optional<std::string> parameter(const Query& query, std::string_view name) {
  const auto found = std::find_if(query.begin(), query.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  if (found == query.end()) return std::nullopt;
  return found->second;
}

Result<std::uint64_t> wholeNumber(const Query& query, std::string_view name, std::uint64_t least,
                                  std::uint64_t most, std::uint64_t otherwise) {
  const auto text = parameter(query, name);
  if (!text) return otherwise;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < least || value > most)
    return fail(Code::invalid, fmt::format("{}={}: must be a whole number from {} to {}", name,
                                           shown(*text), least, most));
  return value;
}

Result<std::optional<Timestamp>> moment(const Query& query, std::string_view name, Timestamp now) {
  const auto text = parameter(query, name);
  if (!text) return std::optional<Timestamp>();
  if (*text == "now") return std::optional(now);
  if (text->starts_with('-')) {
    const auto span = parseDuration(std::string_view(*text).substr(1));
    if (span && *span <= kLongestSpan) return std::optional(now - *span);
  } else if (const auto time = absoluteMoment(*text)) {
    return std::optional(*time);
  }
  return fail(
      Code::invalid,
      fmt::format("{}={}: must be a time such as 2026-01-31T08:05:00Z, a span before now such "
                  "as -15m, or now",
                  name, shown(*text)));
}

Result<bool> flag(const Query& query, std::string_view name) {
  const auto text = parameter(query, name);
  if (!text || *text == "false") return false;
  if (*text == "true") return true;
  return fail(Code::invalid, fmt::format("{}={}: must be true or false", name, shown(*text)));
}

}  // namespace virtseer::api

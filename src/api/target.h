#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http.h"
#include "base/result.h"
#include "base/time.h"

namespace virtseer::api {

/// A request target in origin form, taken apart: segments are split first and decoded then, so that
/// %2F is part of a name.
struct Target {
  std::vector<std::string> path;
  Query query;
};

inline constexpr std::size_t kMaxParameters = 64;
inline constexpr std::size_t kMaxSegments = 16;

/// Decodes `%XX` (and `+` as space where `form` is set). Fails on a broken escape, on control
/// characters and on what is not UTF-8.
Result<std::string> percentDecode(std::string_view text, bool form);

/// Takes apart "/a/b?x=1&y=2". Fails with Code::invalid and a text that says what to correct.
Result<Target> parseTarget(std::string_view raw);

/// The parameter's value; absent if it was not given.
std::optional<std::string> parameter(const Query& query, std::string_view name);

/// A whole number in [least, most]; `otherwise` if it was not given.
Result<std::uint64_t> wholeNumber(const Query& query, std::string_view name, std::uint64_t least,
                                  std::uint64_t most, std::uint64_t otherwise);

/// A moment: RFC 3339, "now", or a span before now such as -15m.
Result<std::optional<Timestamp>> moment(const Query& query, std::string_view name, Timestamp now);

/// "true" or "false"; false if it was not given.
Result<bool> flag(const Query& query, std::string_view name);

}  // namespace virtseer::api

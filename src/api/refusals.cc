#include "api/refusals.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/result.h"
#include "base/text.h"

namespace virtseer::api {

bool isRefusal(unsigned status, std::string_view code) {
  constexpr std::array<unsigned, 5> kStatuses{401, 403, 413, 421, 431};
  return code == name(Code::busy) || std::ranges::find(kStatuses, status) != kStatuses.end();
}

std::optional<std::string> Refusals::add(Time now, std::string_view from, std::string_view why) {
  constexpr std::chrono::minutes kPause{1};
  ++untold_;
  if (told_ && now - *told_ < kPause) return std::nullopt;
  told_ = now;
  const auto count = std::exchange(untold_, 0);
  return fmt::format("api: refused {}, the last from {}: {}", count, printable(from),
                     printable(why));
}

}  // namespace virtseer::api

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/handlers.h"
#include "api/router.h"
#include "api/target.h"
#include "base/text.h"

/// First byte: the method. The rest is a request target, and its query is read as each handler
/// would. What comes out must be UTF-8 and within bounds; what is refused must say why.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace virtseer;
  using namespace virtseer::api;
  if (size == 0) return 0;
  static constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "DELETE"};
  const std::string_view raw(reinterpret_cast<const char*>(data + 1), size - 1);
  const Timestamp now{Millis(1'769'846'400'000)};

  const auto matched = match(kMethods[data[0] % 4], raw);
  if (!matched && (matched.error().detail.empty() || !isUtf8(matched.error().detail))) std::abort();
  const auto target = parseTarget(raw);
  if (!target) return 0;
  if (target->query.size() > kMaxParameters || target->path.size() > kMaxSegments) std::abort();
  for (const auto& [key, value] : target->query)
    if (!isUtf8(key) || !isUtf8(value)) std::abort();
  if (const auto query = parseSeriesQuery(target->query, now); query && query->from >= query->to)
    std::abort();
  if (const auto filter = parseEventFilter(target->query, now); filter && filter->limit > 1000)
    std::abort();
  (void)parseLoadOrder("application/json", raw);
  return 0;
}

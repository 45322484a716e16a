#include "daemon/seen_vms.h"

#include <fmt/format.h>

#include <charconv>

namespace virtseer::daemon {
namespace {

constexpr std::size_t kUuid = 36;
constexpr std::size_t kMost = 10'000;

}  // namespace

std::vector<Uuid> SeenVms::takeForgotten(Timestamp now) {
  std::vector<Uuid> out;
  std::erase_if(last_, [&](const auto& entry) {
    if (now - entry.second < kKept) return false;
    out.push_back(entry.first);
    return true;
  });
  return out;
}

std::string SeenVms::text() const {
  std::string out;
  for (const auto& [vm, last] : last_)
    out += fmt::format("{} {}\n", vm.text(), last.time_since_epoch().count());
  return out;
}

void SeenVms::read(std::string_view text) {
  while (!text.empty() && last_.size() < kMost) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto vm = Uuid::parse(line.substr(0, kUuid));
    std::int64_t ms = 0;
    if (!vm || line.size() < kUuid + 2) continue;
    const auto number = line.substr(kUuid + 1);
    if (std::from_chars(number.data(), number.data() + number.size(), ms).ec == std::errc())
      last_.try_emplace(*vm, Timestamp(Millis(ms)));
  }
}

}  // namespace virtseer::daemon

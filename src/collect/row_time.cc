#include "collect/row_time.h"

#include <fmt/format.h>

namespace virtseer::collect {

std::optional<Timestamp> rowTime(Timestamp time, std::optional<Timestamp> last, Timestamp wall) {
  if (last && time <= *last) time = *last + Millis(1);
  if (time > wall + kMaxAhead) return std::nullopt;
  return time;
}

std::optional<Event> StepBack::refused(const std::string& what, std::optional<Uuid> entity,
                                       Timestamp last, Timestamp wall) {
  // Another step may follow at once and reach further back; until when nothing is stored remains.
  if (told_ && last <= *told_ + kSameStep) return std::nullopt;
  told_ = last;
  const auto seconds = static_cast<double>((last - wall).count()) / 1000;
  return Event{.id = 0,
               .time = wall,
               .severity = Severity::warning,
               .kind = "clock.stepped_back",
               .entity = entity,
               .message = fmt::format(
                   "the wall clock is {:.1f} s behind what is stored already, it was set back: {} "
                   "will not be stored until {}",
                   seconds, what, rfc3339(last)),
               .fields = {{"behind_ms", std::to_string((last - wall).count())}}};
}

}  // namespace virtseer::collect

#include "collect/guest_report.h"

#include <fmt/format.h>

#include <charconv>

namespace virtseer::collect {
namespace {

Severity severityOf(echo::HappeningSeverity severity) {
  switch (severity) {
    case echo::HappeningSeverity::info:
      return Severity::info;
    case echo::HappeningSeverity::warning:
      return Severity::warning;
    case echo::HappeningSeverity::error:
      break;
  }
  return Severity::error;
}

Event eventOf(Uuid vm, EchoMark echo, GuestHappening happening) {
  auto& what = happening.what;
  Event event{.id = 0,
              .time = happening.time,
              .severity = severityOf(what.severity),
              .kind = std::move(what.kind),
              .entity = vm,
              .message = std::move(what.message),
              .fields = std::move(what.fields)};
  if (event.message.empty()) event.message = event.kind;
  if (what.count > 1) event.message += fmt::format(" ({} times)", what.count);
  // Ours, whatever the guest named so.
  event.fields["count"] = std::to_string(what.count);
  event.fields[kEchoField] = fmt::format("{}:{}", echo.epoch, echo.sequence);
  return event;
}

bool parseWhole(std::string_view text, std::uint64_t& out) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && read.ec == std::errc() && read.ptr == text.data() + text.size();
}

}  // namespace

std::optional<EchoMark> echoOf(const Event& event) {
  const auto field = event.fields.find(kEchoField);
  if (field == event.fields.end() || !event.kind.starts_with(kGuestKinds)) return std::nullopt;
  const std::string_view text = field->second;
  const auto colon = text.find(':');
  EchoMark mark;
  if (colon == text.npos || !parseWhole(text.substr(0, colon), mark.epoch) ||
      !parseWhole(text.substr(colon + 1), mark.sequence))
    return std::nullopt;
  return mark;
}

void GuestNews::greeted(std::uint64_t epoch, std::uint64_t next) {
  if (told_.epoch == epoch && next <= told_.sequence) told_.sequence = next - 1;
}

std::vector<Event> GuestNews::events(Uuid vm, EchoMark echo, Timestamp row,
                                     std::vector<GuestHappening> happenings) {
  std::vector<Event> out;
  if (happenings.empty()) return out;
  if (echo.epoch == told_.epoch && echo.sequence <= told_.sequence) return out;
  const TokenBucket::Instant now(row.time_since_epoch());
  for (auto& happening : happenings) {
    if (bucket_.take(1, now)) {
      ++taken_;
      out.push_back(eventOf(vm, echo, std::move(happening)));
      continue;
    }
    ++dropped_;
    if (said_ && row < *said_ + kSayEvery) continue;
    said_ = row;
    out.push_back(tooMany(vm, row));
  }
  return out;
}

Event GuestNews::tooMany(Uuid vm, Timestamp row) const {
  return {.id = 0,
          .time = row,
          .severity = Severity::warning,
          .kind = "agent.happenings_dropped",
          .entity = vm,
          .message = fmt::format("the guest tells of more than {:.0f} happenings an hour: those "
                                 "beyond are counted and not kept",
                                 kPerHour),
          .fields = {{"dropped", std::to_string(dropped_)}}};
}

}  // namespace virtseer::collect

#include "model/event.h"

namespace virtseer {

std::string_view name(Severity severity) {
  switch (severity) {
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "info";
}

std::optional<Severity> parseSeverity(std::string_view text) {
  for (const auto value : {Severity::info, Severity::warning, Severity::error})
    if (name(value) == text) return value;
  return std::nullopt;
}

}  // namespace virtseer

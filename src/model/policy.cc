#include "model/policy.h"

namespace virtseer {

std::string_view name(Mode mode) {
  switch (mode) {
    case Mode::observe:
      return "observe";
    case Mode::suggest:
      return "suggest";
    case Mode::automatic:
      return "auto";
  }
  return "observe";
}

std::optional<Mode> parseMode(std::string_view text) {
  for (const auto mode : {Mode::observe, Mode::suggest, Mode::automatic})
    if (name(mode) == text) return mode;
  return std::nullopt;
}

}  // namespace virtseer

#include "daemon/keepsakes.h"

#include <nlohmann/json.hpp>

#include "wire/wire.h"

namespace virtseer::daemon {
namespace {

constexpr const char* kMaintenance = "maintenance";
constexpr const char* kAutomation = "automation";
const std::string kOn = "on";
const std::string kOff = "off";
constexpr std::size_t kMoves = 16;

std::string movesKey(const Uuid& vm) {
  return "moves/" + vm.text();
}

}  // namespace

std::optional<Timestamp> Keepsakes::maintenance() const {
  const auto text = settings_ ? settings_->get(kMaintenance) : std::nullopt;
  return text ? parseRfc3339(*text) : std::nullopt;
}
void Keepsakes::setMaintenance(bool on, Timestamp now) {
  if (!settings_) return;
  if (on)
    settings_->put(kMaintenance, rfc3339(now));
  else
    settings_->erase(kMaintenance);
}

std::optional<Keepsakes::Automation> Keepsakes::automation() const {
  const auto text = settings_ ? settings_->get(kAutomation) : std::nullopt;
  if (!text) return std::nullopt;
  const auto space = text->find(' ');
  const auto word = text->substr(0, space);
  if (space == std::string::npos || (word != kOn && word != kOff)) return std::nullopt;
  const auto since = parseRfc3339(text->substr(space + 1));
  return since ? std::optional(Automation{word == kOn, *since}) : std::nullopt;
}
void Keepsakes::setAutomation(bool on, Timestamp now) {
  if (settings_) settings_->put(kAutomation, (on ? kOn : kOff) + (" " + rfc3339(now)));
}

std::vector<PastMove> Keepsakes::moves(const Uuid& vm) const {
  const auto text = settings_ ? settings_->get(movesKey(vm)) : std::nullopt;
  if (!text) return {};
  return wire::pastMoves(*text).value_or(std::vector<PastMove>{});
}

void Keepsakes::addMove(const Uuid& vm, PastMove move) {
  auto all = moves(vm);
  all.push_back(std::move(move));
  setMoves(vm, std::move(all));
}

void Keepsakes::setMoves(const Uuid& vm, std::vector<PastMove> all) {
  if (!settings_) return;
  if (all.size() > kMoves) all.erase(all.begin(), all.end() - kMoves);
  settings_->put(movesKey(vm), wire::json(all).dump());
}

}  // namespace virtseer::daemon

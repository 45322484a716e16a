#include "daemon/keepsakes.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "wire/wire.h"

namespace virtseer::daemon {
namespace {

constexpr const char* kMaintenance = "maintenance";
constexpr const char* kAutomation = "automation";
const std::string kOn = "on";
const std::string kOff = "off";
constexpr std::size_t kMoves = 16;

constexpr std::size_t kMovedSinceStart = 256;
/// Cool-down and cycle detection look back by a day.
constexpr Millis kMovesRemembered = std::chrono::hours(48);
const std::string kMovesPrefix = "moves/";

std::string movesKey(const Uuid& vm) {
  return kMovesPrefix + vm.text();
}

bool sameMove(const PastMove& one, const PastMove& other) {
  return one.from == other.from && one.to == other.to && one.started == other.started;
}

/// A move that is told twice is kept once, with the end that was told last.
void remember(std::vector<PastMove>& known, const PastMove& move) {
  std::erase_if(known, [&](const auto& each) { return sameMove(each, move); });
  known.push_back(move);
}

}  // namespace

void Keepsakes::use(store::Settings& settings, Timestamp now) {
  if (settings_ == &settings) return;
  settings_ = &settings;
  for (const auto& [key, value] : said_) {
    if (value)
      settings.put(key, *value);
    else
      settings.erase(key);
  }
  for (const auto& [vm, move] : moved_) {
    auto known = moves(vm);
    remember(known, move);
    put(vm, std::move(known));
  }
  forgetOld(now);
}

void Keepsakes::forgetOld(Timestamp now) {
  for (const auto& [key, text] : settings_->list(kMovesPrefix)) {
    const auto known = wire::pastMoves(text);
    if (known && !known->empty() && known->back().ended < now - kMovesRemembered)
      settings_->erase(key);
  }
}

void Keepsakes::say(const std::string& key, std::optional<std::string> value) {
  if (!settings_) return;
  if (value)
    settings_->put(key, *value);
  else
    settings_->erase(key);
  said_.insert_or_assign(key, std::move(value));
}

std::optional<Timestamp> Keepsakes::maintenance() const {
  const auto text = settings_ ? settings_->get(kMaintenance) : std::nullopt;
  return text ? parseRfc3339(*text) : std::nullopt;
}
void Keepsakes::setMaintenance(bool on, Timestamp now) {
  say(kMaintenance, on ? std::optional(rfc3339(now)) : std::nullopt);
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
  say(kAutomation, (on ? kOn : kOff) + (" " + rfc3339(now)));
}

std::vector<PastMove> Keepsakes::moves(const Uuid& vm) const {
  const auto text = settings_ ? settings_->get(movesKey(vm)) : std::nullopt;
  if (!text) return {};
  return wire::pastMoves(*text).value_or(std::vector<PastMove>{});
}

void Keepsakes::addMove(const Uuid& vm, PastMove move) {
  adoptMoves(vm, {std::move(move)});
}

void Keepsakes::adoptMoves(const Uuid& vm, const std::vector<PastMove>& moves) {
  auto known = this->moves(vm);
  for (const auto& move : moves) {
    remember(known, move);
    moved_.emplace_back(vm, move);
    if (moved_.size() > kMovedSinceStart) moved_.pop_front();
  }
  put(vm, std::move(known));
}

void Keepsakes::put(const Uuid& vm, std::vector<PastMove> moves) {
  if (!settings_) return;
  std::ranges::sort(moves, {}, &PastMove::ended);
  if (moves.size() > kMoves) moves.erase(moves.begin(), moves.end() - kMoves);
  settings_->put(movesKey(vm), wire::json(moves).dump());
}

}  // namespace virtseer::daemon

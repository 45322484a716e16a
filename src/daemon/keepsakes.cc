#include "daemon/keepsakes.h"

#include <nlohmann/json.hpp>

#include "wire/wire.h"

namespace virtseer::daemon {
namespace {

constexpr const char* kMaintenance = "maintenance";
constexpr const char* kStopped = "automation/stopped";
constexpr std::size_t kMoves = 16;

std::string movesKey(const Uuid& vm) {
  return "moves/" + vm.text();
}

}  // namespace

std::optional<Timestamp> Keepsakes::time(const std::string& key) const {
  const auto text = settings_ ? settings_->get(key) : std::nullopt;
  return text ? parseRfc3339(*text) : std::nullopt;
}

void Keepsakes::mark(const std::string& key, bool on, Timestamp now) {
  if (!settings_) return;
  if (on)
    settings_->put(key, rfc3339(now));
  else
    settings_->erase(key);
}

std::optional<Timestamp> Keepsakes::maintenance() const {
  return time(kMaintenance);
}
void Keepsakes::setMaintenance(bool on, Timestamp now) {
  mark(kMaintenance, on, now);
}

std::optional<Timestamp> Keepsakes::stopped() const {
  return time(kStopped);
}
void Keepsakes::setStopped(bool stop, Timestamp now) {
  mark(kStopped, stop, now);
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

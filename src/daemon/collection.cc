#include "daemon/collection.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "virtseer/echo/text.h"

namespace virtseer::daemon {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kPrefix = "collection/";

std::string textOf(const echo::Settings& settings) {
  Json json = Json::object();
  if (settings.interval_ms) json["interval_ms"] = *settings.interval_ms;
  if (settings.top_processes) json["top_processes"] = *settings.top_processes;
  if (settings.collectors) json["collectors"] = *settings.collectors;
  return json.dump();
}

std::optional<std::uint32_t> count(const Json& json, const char* key, std::uint64_t least,
                                   std::uint64_t most) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_unsigned()) return std::nullopt;
  const auto value = found->get<std::uint64_t>();
  if (value < least || value > most) return std::nullopt;
  return static_cast<std::uint32_t>(value);
}

/// What does not fit is left out: an older or newer version wrote it.
echo::Settings settingsIn(const std::string& text) {
  echo::Settings out;
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return out;
  out.interval_ms = count(json, "interval_ms", echo::kMinIntervalMs, echo::kMaxIntervalMs);
  out.top_processes = count(json, "top_processes", 0, echo::kMaxTableRows);
  const auto collectors = json.find("collectors");
  if (collectors == json.end() || !collectors->is_array()) return out;
  auto& names = out.collectors.emplace();
  for (const Json& name : *collectors)
    if (name.is_string() && echo::isName(name.get<std::string>()) &&
        names.size() < echo::kMaxSources)
      names.push_back(name.get<std::string>());
  if (names.empty()) out.collectors.reset();
  return out;
}

}  // namespace

Collection::Collection(echo::Settings defaults) : defaults_(std::move(defaults)) {}

void Collection::remember(store::Settings& settings) {
  settings_ = &settings;
  std::erase_if(own_, [&](const auto& entry) { return !said_.contains(entry.first); });
  for (const auto& [key, text] : settings.list(std::string(kPrefix))) {
    const auto vm = Uuid::parse(key.substr(kPrefix.size()));
    if (vm && !said_.contains(*vm)) own_[*vm] = settingsIn(text);
  }
  for (const Uuid vm : said_) keep(vm);
}

echo::Settings Collection::own(Uuid vm) const {
  const auto found = own_.find(vm);
  return found == own_.end() ? echo::Settings{} : found->second;
}

void Collection::set(Uuid vm, const echo::Settings& own) {
  if (own == echo::Settings{})
    own_.erase(vm);
  else
    own_[vm] = own;
  said_.insert(vm);
  keep(vm);
}

void Collection::keep(Uuid vm) {
  if (settings_ == nullptr) return;
  const std::string key = std::string(kPrefix) + vm.text();
  const auto found = own_.find(vm);
  if (found == own_.end())
    settings_->erase(key);
  else
    settings_->put(key, textOf(found->second));
}

echo::Settings Collection::inForce(Uuid vm) const {
  const auto said = own(vm);
  echo::Settings out = defaults_;
  if (said.interval_ms) out.interval_ms = said.interval_ms;
  if (said.top_processes) out.top_processes = said.top_processes;
  if (said.collectors) out.collectors = said.collectors;
  // What an agent is not told it leaves as it is: that it is to run all must be said too.
  if (!out.collectors || out.collectors->empty())
    out.collectors = {std::string(echo::kAllCollectors)};
  return out;
}

}  // namespace virtseer::daemon

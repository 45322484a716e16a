#include "cli/body.h"

#include "base/text.h"

namespace virtseer::cli {

Result<Json> parseObject(std::string_view body) {
  Json json = Json::parse(body, nullptr, false);
  if (json.is_object()) return json;
  return fail(Code::corrupt, "the daemon's answer is not what it should be");
}

Result<std::vector<Json>> parseItems(std::string_view body) {
  auto json = parseObject(body);
  if (!json) return fail(json.error());
  const auto items = json->find("items");
  if (items == json->end() || !items->is_array())
    return fail(Code::corrupt, "the daemon's answer is not what it should be: it has no items");
  return items->get<std::vector<Json>>();
}

const Json* at(const Json& json, Path path) {
  const Json* here = &json;
  for (const char* step : path) {
    if (!here->is_object()) return nullptr;
    const auto member = here->find(step);
    if (member == here->end()) return nullptr;
    here = &*member;
  }
  return here;
}

std::optional<double> number(const Json& json, Path path) {
  const Json* found = at(json, path);
  return found && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}

bool truth(const Json& json, Path path) {
  const Json* found = at(json, path);
  return found && found->is_boolean() && found->get<bool>();
}

std::vector<Json> objects(const Json& json, Path path) {
  std::vector<Json> out;
  if (const Json* found = at(json, path); found && found->is_array())
    for (const Json& item : *found)
      if (item.is_object()) out.push_back(item);
  return out;
}

std::vector<std::string> texts(const Json& json, Path path) {
  std::vector<std::string> out;
  if (const Json* found = at(json, path); found && found->is_array())
    for (const Json& item : *found)
      if (item.is_string()) out.push_back(item.get<std::string>());
  return out;
}

std::string rawText(const Json& json, Path path) {
  const Json* found = at(json, path);
  return found && found->is_string() ? found->get<std::string>() : std::string();
}

std::string shownText(const Json& json, Path path) {
  const std::string text = rawText(json, path);
  return text.empty() ? "-" : printable(text);
}

std::vector<std::string> pairs(const Json& json, Path path) {
  std::vector<std::string> out;
  if (const Json* found = at(json, path); found && found->is_object())
    for (const auto& [key, value] : found->items())
      out.push_back(key + "=" + (value.is_string() ? value.get<std::string>() : value.dump()));
  return out;
}

}  // namespace virtseer::cli

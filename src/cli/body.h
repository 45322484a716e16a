#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace virtseer::cli {

using Json = nlohmann::json;
using Path = std::initializer_list<const char*>;

/// The object that a body holds.
Result<Json> parseObject(std::string_view body);
/// The objects of a body {"items":[...]}.
Result<std::vector<Json>> parseItems(std::string_view body);

// What lies at a path of members; nothing where a step is missing, null or of another type.

const Json* at(const Json& json, Path path);
std::optional<double> number(const Json& json, Path path);
bool truth(const Json& json, Path path);
/// The objects of an array; empty if there is none.
std::vector<Json> objects(const Json& json, Path path);
std::vector<std::string> texts(const Json& json, Path path);
/// Empty if it is not there; not escaped.
std::string rawText(const Json& json, Path path);
/// "-" if it is not there; control characters escaped.
std::string shownText(const Json& json, Path path);
/// The members of an object of texts, as KEY=VALUE.
std::vector<std::string> pairs(const Json& json, Path path);

}  // namespace virtseer::cli

#pragma once

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "api/handlers.h"
#include "api/json.h"
#include "openapi_reader.h"

namespace virtseer::api {

inline const OpenApi& file() {
  static const OpenApi read = OpenApi::read(openapiText());
  return read;
}

/// Holds a value against its schema: closed, all members there, none else, references followed.
inline void fits(const Json& value, const std::string& name) {
  INFO("schema " << name << ", value " << value.dump());
  REQUIRE(file().schemas.count(name) == 1);
  const auto& schema = file().schemas.at(name);
  if (!schema.values.empty()) {
    REQUIRE(value.is_string());
    CHECK(schema.values.count(value.get<std::string>()) == 1);
    return;
  }
  REQUIRE(value.is_object());
  CHECK(schema.closed);
  std::set<std::string> members, described;
  for (const auto& [key, member] : value.items()) members.insert(key);
  for (const auto& [key, reference] : schema.properties) described.insert(key);
  CHECK(members == described);
  CHECK(members == schema.required);
  for (const auto& [key, reference] : schema.properties) {
    if (!value.contains(key)) continue;
    INFO("member " << key);
    if (value[key].is_null()) CHECK(schema.nullable.count(key) == 1);
    if (reference.empty() || value[key].is_null()) continue;
    if (value[key].is_array()) {
      for (const auto& each : value[key]) fits(each, reference);
    } else {
      fits(value[key], reference);
    }
  }
}

}  // namespace virtseer::api

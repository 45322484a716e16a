#pragma once

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "api/json.h"
#include "base/time.h"
#include "virtseer/uuid.h"

/// How the unknown is written. For the folder's .cc files only.
namespace virtseer::api {

template <class T>
Json orNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
inline Json orNull(const std::optional<Timestamp>& time) {
  return time ? Json(rfc3339(*time)) : Json(nullptr);
}
inline Json orNull(const std::optional<Millis>& span) {
  return span ? Json(span->count()) : Json(nullptr);
}
inline Json orNull(const std::optional<Uuid>& uuid) {
  return uuid ? Json(uuid->text()) : Json(nullptr);
}

/// Finite or null.
inline Json number(std::optional<double> value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

/// For texts and counts of which an empty or zero one means that nobody knows.
inline Json known(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}
inline Json known(std::uint64_t count) {
  return count == 0 ? Json(nullptr) : Json(count);
}

}  // namespace virtseer::api

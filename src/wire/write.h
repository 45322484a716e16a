#pragma once

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/text.h"
#include "base/time.h"
#include "model/scenarios.h"
#include "virtseer/uuid.h"
#include "wire/limits.h"
#include "wire/wire.h"

namespace virtseer::wire {

inline constexpr Millis kLongest{1'000'000'000'000'000};
inline constexpr Timestamp kFirstTime =
    std::chrono::sys_days(std::chrono::year(0) / std::chrono::January / 1);
inline constexpr Timestamp kLastTime =
    std::chrono::sys_days(std::chrono::year(9999) / std::chrono::December / 31);

template <class T>
Json put(const T& value);
Json scenariosJson(const Scenarios& scenarios);

/// Labels and words: what is no UTF-8 is replaced, what is too long is cut.
inline Json putText(const std::string& text) {
  std::string out = toUtf8(std::string_view(text).substr(0, kTextBytes));
  if (out.size() > kTextBytes) out = toUtf8(std::string_view(out).substr(0, kTextBytes - 3));
  return out;
}

/// None of the quantities on the wire is negative or infinite.
inline double plain(double number) {
  return std::isfinite(number) ? std::max(number, 0.0) : 0.0;
}

/// Writes the members of an object in the order in which they are named: see members.h.
class Writer {
 public:
  static constexpr bool kReads = false;
  explicit Writer(Json& out) : out_(out) {}

  template <class T>
  void operator()(const char* key, const T& value) {
    out_[key] = put(value);
  }
  /// A text of which an empty one means that there is none.
  void orNull(const char* key, const std::string& text) {
    out_[key] = text.empty() ? Json(nullptr) : putText(text);
  }
  /// An identity that may not be known.
  void orNull(const char* key, const Uuid& uuid) {
    out_[key] = uuid.isNil() ? Json(nullptr) : Json(uuid.text());
  }
  /// A text that means something else if a byte of it is changed.
  void exact(const char* key, const std::string& text) { out_[key] = text; }
  void exact(const char* key, const std::vector<std::string>& texts) { out_[key] = Json(texts); }

 private:
  Json& out_;
};

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

template <class T>
Json put(const T& value) {
  if constexpr (IsOptional<T>::value) {
    if constexpr (std::is_same_v<T, std::optional<double>>)
      if (value && !std::isfinite(*value)) return nullptr;
    return value ? put(*value) : Json(nullptr);
  } else if constexpr (IsVector<T>::value) {
    Json out = Json::array();
    for (const auto& item : value) out.push_back(put(item));
    return out;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return putText(value);
  } else if constexpr (std::is_same_v<T, Timestamp>) {
    return rfc3339(std::clamp(value, kFirstTime, kLastTime));
  } else if constexpr (std::is_same_v<T, Millis>) {
    return std::clamp(value, Millis(0), kLongest).count();
  } else if constexpr (std::is_same_v<T, Uuid>) {
    return value.isNil() ? Json(nullptr) : Json(value.text());
  } else if constexpr (std::is_same_v<T, double>) {
    return plain(value);
  } else if constexpr (std::is_enum_v<T>) {
    return name(value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return value;
  } else if constexpr (std::is_same_v<T, Scenarios>) {
    return scenariosJson(value);
  } else {
    Json out = Json::object();
    Writer writer(out);
    members(writer, value);
    return out;
  }
}

}  // namespace virtseer::wire

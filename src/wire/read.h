#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "wire/names.h"
#include "wire/write.h"

namespace virtseer::wire {

/// What is read: looking a member up must not take longer the more there are.
using Input = nlohmann::json;

/// Where a value stands, for whoever must mend it. Lives as long as its value is read.
struct Place {
  const Place* parent = nullptr;
  const char* key = nullptr;
  std::size_t index = 0;  ///< where there is no key

  std::string text() const;  ///< "host.vms[3].name"
};

/// The first thing that was wrong; nothing is read after it.
class Fault {
 public:
  bool found() const { return !message_.empty(); }
  void missing(const Place& place);
  /// `wanted`: "a text of at most 64 KiB".
  void wrong(const Place& place, std::string_view wanted);
  Error error() const { return {Code::invalid, message_}; }

 private:
  std::string message_;
};

/// Parses after looking at size, depth and number of values, so that no body costs much more memory
/// than it has bytes. The outermost value must be an object, or an array if `list`.
Result<Input> parse(std::string_view body, std::size_t most_bytes, std::size_t most_values,
                    bool list = false);

void takeText(const Input& in, std::string& out, const Place& place, Fault& fault,
              std::size_t most = kTextBytes);
void takeNumber(const Input& in, double& out, const Place& place, Fault& fault);
void takeTime(const Input& in, Timestamp& out, const Place& place, Fault& fault);
void takeSpan(const Input& in, Millis& out, const Place& place, Fault& fault);
void takeUuid(const Input& in, Uuid& out, const Place& place, Fault& fault);
void takeScenarios(const Input& in, Scenarios& out, const Place& place, Fault& fault);

template <class T>
void take(const Input& in, T& out, const Place& place, Fault& fault);

/// Reads the members of an object: see members.h. A member that may be null may be absent, and
/// members that are not known are passed over, so that daemons of different age understand each
/// other.
class Reader {
 public:
  static constexpr bool kReads = true;
  Reader(const Input& in, const Place& place, Fault& fault)
      : in_(in), place_(place), fault_(fault) {}

  template <class T>
  void operator()(const char* key, T& out) {
    if constexpr (IsOptional<T>::value) {
      out.reset();
      if (const Input* value = known(key)) take(*value, out.emplace(), at(key), fault_);
    } else if (const Input* value = needed(key)) {
      take(*value, out, at(key), fault_);
    }
  }
  void orNull(const char* key, std::string& out) {
    out.clear();
    if (const Input* value = known(key)) takeText(*value, out, at(key), fault_);
  }
  void orNull(const char* key, Uuid& out) {
    out = {};
    if (const Input* value = known(key)) takeUuid(*value, out, at(key), fault_);
  }
  void exact(const char* key, std::string& out) {
    if (const Input* value = needed(key)) takeText(*value, out, at(key), fault_, kDefinitionBytes);
  }
  void exact(const char* key, std::vector<std::string>& out) { (*this)(key, out); }

  bool has(const char* key) const { return in_.is_object() && in_.contains(key); }
  /// The member's value; null after a fault, which is told if the member is absent.
  const Input* needed(const char* key);
  Place at(const char* key) const { return {.parent = &place_, .key = key}; }
  Fault& fault() { return fault_; }

 private:
  /// Null too where the member is absent or null.
  const Input* known(const char* key) const;

  const Input& in_;
  const Place& place_;
  Fault& fault_;
};

template <class T>
  requires(std::integral<T> && !std::same_as<T, bool>)
void takeInteger(const Input& in, T& out, const Place& place, Fault& fault) {
  if constexpr (std::unsigned_integral<T>) {
    if (!in.is_number_unsigned() || in.get<std::uint64_t>() > std::numeric_limits<T>::max())
      return fault.wrong(place, "a whole number that is not negative");
    out = static_cast<T>(in.get<std::uint64_t>());
  } else {
    // What is above the signed range is kept as unsigned, and wraps to what is no T.
    const bool fits = in.is_number_integer() && std::in_range<T>(in.get<std::int64_t>()) &&
                      (!in.is_number_unsigned() || in.get<std::uint64_t>() <= INT64_MAX);
    if (!fits) return fault.wrong(place, "a whole number");
    out = static_cast<T>(in.get<std::int64_t>());
  }
}

template <class T>
void takeList(const Input& in, std::vector<T>& out, const Place& place, Fault& fault,
              std::size_t most = kItems) {
  if (!in.is_array() || in.size() > most)
    return fault.wrong(place, "a list of at most " + std::to_string(most) + " items");
  out.clear();
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size() && !fault.found(); ++i)
    take(in[i], out.emplace_back(), {.parent = &place, .index = i}, fault);
}

template <class T>
void take(const Input& in, T& out, const Place& place, Fault& fault) {
  if (fault.found()) return;
  if constexpr (IsVector<T>::value) {
    takeList(in, out, place, fault);
  } else if constexpr (std::is_same_v<T, std::string>) {
    takeText(in, out, place, fault);
  } else if constexpr (std::is_same_v<T, Timestamp>) {
    takeTime(in, out, place, fault);
  } else if constexpr (std::is_same_v<T, Millis>) {
    takeSpan(in, out, place, fault);
  } else if constexpr (std::is_same_v<T, Uuid>) {
    takeUuid(in, out, place, fault);
  } else if constexpr (std::is_same_v<T, double>) {
    takeNumber(in, out, place, fault);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!in.is_boolean()) return fault.wrong(place, "true or false");
    out = in.get<bool>();
  } else if constexpr (std::is_enum_v<T>) {
    const auto* text = in.get_ptr<const Input::string_t*>();
    if (text == nullptr || !parseName(*text, out))
      fault.wrong(place, "one of the names that are known");
  } else if constexpr (std::is_arithmetic_v<T>) {
    takeInteger(in, out, place, fault);
  } else if constexpr (std::is_same_v<T, Scenarios>) {
    takeScenarios(in, out, place, fault);
  } else {
    if (!in.is_object()) return fault.wrong(place, "an object");
    Reader reader(in, place, fault);
    members(reader, out);
  }
}

/// All of a body.
template <class T>
Result<T> readBody(std::string_view body, std::size_t most_bytes, std::size_t most_values) {
  const auto in = parse(body, most_bytes, most_values, IsVector<T>::value);
  if (!in) return fail(in.error());
  T out{};
  Fault fault;
  take(*in, out, Place{}, fault);
  if (fault.found()) return fail(fault.error());
  return out;
}

}  // namespace virtseer::wire

#include "wire/read.h"

#include <fmt/format.h>

#include "base/text.h"

namespace virtseer::wire {
namespace {

/// Counts what a parser would make of the body, without making it. A body that is no JSON may be
/// counted wrongly, but never as less than the parser gets through before it gives up.
Result<void> measure(std::string_view body, std::size_t most_values) {
  std::size_t depth = 0, values = 1;
  bool quoted = false;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '[' || c == '{') ++depth, ++values;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (c == ',') ++values;
    if (depth > kDepth) return fail(Code::invalid, "the body is nested too deeply");
    if (values > most_values)
      return fail(Code::invalid, fmt::format("the body has more than {} values", most_values));
  }
  return {};
}

}  // namespace

std::string Place::text() const {
  std::string out = parent == nullptr ? "" : parent->text();
  if (key != nullptr) return out.empty() ? std::string(key) : out + "." + key;
  return parent == nullptr ? out : fmt::format("{}[{}]", out, index);
}

void Fault::missing(const Place& place) {
  if (!found()) message_ = place.text() + " is missing";
}

void Fault::wrong(const Place& place, std::string_view wanted) {
  if (found()) return;
  const std::string where = place.text();
  message_ = fmt::format("{} must be {}", where.empty() ? "the body" : where, wanted);
}

Result<Input> parse(std::string_view body, std::size_t most_bytes, std::size_t most_values,
                    bool list) {
  if (body.size() > most_bytes)
    return fail(Code::invalid, fmt::format("the body has more than {} bytes", most_bytes));
  if (const auto measured = measure(body, most_values); !measured) return fail(measured.error());
  Input in = Input::parse(body, nullptr, false);
  if (in.is_discarded()) return fail(Code::invalid, "the body is no JSON");
  if (list ? !in.is_array() : !in.is_object())
    return fail(Code::invalid, list ? "the body must be a list" : "the body must be an object");
  return in;
}

const Input* Reader::needed(const char* key) {
  if (fault_.found()) return nullptr;
  const auto member = in_.find(key);
  if (member != in_.end()) return &*member;
  fault_.missing(at(key));
  return nullptr;
}

const Input* Reader::known(const char* key) const {
  if (fault_.found()) return nullptr;
  const auto member = in_.find(key);
  return member == in_.end() || member->is_null() ? nullptr : &*member;
}

void takeText(const Input& in, std::string& out, const Place& place, Fault& fault,
              std::size_t most) {
  const auto* text = in.get_ptr<const Input::string_t*>();
  if (text == nullptr || text->size() > most)
    return fault.wrong(place, fmt::format("a text of at most {} bytes", most));
  out = *text;
}

void takeNumber(const Input& in, double& out, const Place& place, Fault& fault) {
  const double number = in.is_number() ? in.get<double>() : -1;
  if (!std::isfinite(number) || number < 0)
    return fault.wrong(place, "a number that is not negative");
  out = number;
}

void takeTime(const Input& in, Timestamp& out, const Place& place, Fault& fault) {
  const auto* text = in.get_ptr<const Input::string_t*>();
  const auto time = text == nullptr ? std::nullopt : parseRfc3339(*text);
  if (!time) return fault.wrong(place, "a time such as 2026-01-31T08:05:00.250Z");
  out = *time;
}

void takeSpan(const Input& in, Millis& out, const Place& place, Fault& fault) {
  if (!in.is_number_unsigned() ||
      in.get<std::uint64_t>() > static_cast<std::uint64_t>(kLongest.count()))
    return fault.wrong(place, "a whole number of milliseconds");
  out = Millis(in.get<std::int64_t>());
}

void takeUuid(const Input& in, Uuid& out, const Place& place, Fault& fault) {
  const auto* text = in.get_ptr<const Input::string_t*>();
  const auto uuid = text == nullptr ? std::nullopt : Uuid::parse(*text);
  if (!uuid || uuid->isNil()) return fault.wrong(place, "a UUID");
  out = *uuid;
}

}  // namespace virtseer::wire

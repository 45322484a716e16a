#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "base/text.h"
#include "daemon/config_keys.h"
#include "daemon/config_size.h"

namespace virtseer {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

bool isSize(const ConfigSlot& slot) {
  return std::holds_alternative<SizeSlot>(slot) || std::holds_alternative<SmallSizeSlot>(slot) ||
         std::holds_alternative<std::optional<std::uint64_t>*>(slot);
}
bool isDuration(const ConfigSlot& slot) {
  return std::holds_alternative<Millis*>(slot) || std::holds_alternative<SecondsSlot>(slot);
}
bool isText(const ConfigSlot& slot) {
  return std::holds_alternative<std::string*>(slot) ||
         std::holds_alternative<std::filesystem::path*>(slot);
}

std::string limitText(const ConfigSlot& slot, double limit) {
  if (isSize(slot)) return sizeText(static_cast<std::uint64_t>(limit));
  if (isDuration(slot)) return durationText(Millis(static_cast<std::int64_t>(limit)));
  return fmt::format("{}", limit);
}

/// What stands in the file, for a message.
std::string shown(const ConfigValue& value) {
  return std::visit(
      Overloaded{
          [](const std::string& text) { return fmt::format("\"{}\"", printable(text)); },
          [](std::int64_t number) { return fmt::format("the whole number {}", number); },
          [](double number) { return fmt::format("the number {}", number); },
          [](const std::vector<std::string>&) { return std::string("a list"); },
          [](const OtherValue& other) { return other.type; },
      },
      value);
}

/// The number that `value` stands for where `slot` wants one, in the unit of the key's range.
std::optional<double> number(const ConfigSlot& slot, const ConfigValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  const auto* whole = std::get_if<std::int64_t>(&value);
  if (isDuration(slot)) {
    const auto span = text ? parseDuration(*text) : std::nullopt;
    if (!span ||
        (std::holds_alternative<SecondsSlot>(slot) && *span % std::chrono::seconds(1) != Millis(0)))
      return std::nullopt;
    return static_cast<double>(span->count());
  }
  if (isSize(slot)) {
    if (text) {
      const auto bytes = parseSize(*text);
      return bytes ? std::optional(static_cast<double>(*bytes)) : std::nullopt;
    }
    return whole && *whole >= 0 ? std::optional(static_cast<double>(*whole)) : std::nullopt;
  }
  if (whole) return static_cast<double>(*whole);
  const auto* real = std::get_if<double>(&value);
  const bool fits = real && !std::holds_alternative<CountSlot>(slot) && std::isfinite(*real);
  return fits ? std::optional(*real) : std::nullopt;
}

void store(const ConfigSlot& slot, double value) {
  std::visit(Overloaded{
                 [&](double* to) { *to = value; },
                 [&](Millis* to) { *to = Millis(static_cast<std::int64_t>(value)); },
                 [&](CountSlot to) { *to.value = static_cast<std::uint32_t>(value); },
                 [&](SecondsSlot to) { *to.value = static_cast<std::uint32_t>(value / 1000); },
                 [&](SmallSizeSlot to) { *to.value = static_cast<std::uint32_t>(value); },
                 [&](SizeSlot to) { *to.value = static_cast<std::uint64_t>(value); },
                 [&](std::optional<double>* to) { *to = value; },
                 [&](std::optional<std::uint64_t>* to) { *to = static_cast<std::uint64_t>(value); },
                 [](auto*) {},
             },
             slot);
}

std::string wanted(const ConfigKey& key) {
  const std::string range = rangeText(key);
  return fmt::format("must be: {}{}{}", key.form, range.empty() ? "" : ", ", range);
}

std::string assignText(const ConfigKey& key, const ConfigSlot& slot, const std::string& text) {
  const auto length = static_cast<double>(text.size());
  if (key.most > 0 && (length < key.least || length > key.most))
    return fmt::format("is {} characters long; {}", text.size(), wanted(key));
  if (key.check)
    if (auto fault = key.check(text); !fault.empty())
      return fmt::format("\"{}\": {}", printable(text), fault);
  if (auto* to = std::get_if<std::string*>(&slot)) **to = text;
  if (auto* to = std::get_if<std::filesystem::path*>(&slot)) **to = text;
  return {};
}

std::string assignList(const ConfigKey& key, const ConfigSlot& slot,
                       const std::vector<std::string>& list) {
  const auto length = static_cast<double>(list.size());
  if (length < key.least || length > key.most)
    return fmt::format("has {} elements; {}", list.size(), wanted(key));
  for (const std::string& element : list)
    if (auto fault = key.check(element); !fault.empty())
      return fmt::format("\"{}\": {}", printable(element), fault);
  *std::get<std::vector<std::string>*>(slot) = list;
  return {};
}

std::string tomlString(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += '\\', out += c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      out += fmt::format("\\u{:04X}", c);
    else
      out += c;
  }
  return out + '"';
}

}  // namespace

std::string rangeText(const ConfigKey& key) {
  Config fresh;
  const ConfigSlot slot = key.slot(fresh);
  if (isText(slot)) return {};
  if (std::holds_alternative<std::vector<std::string>*>(slot))
    return fmt::format("{} to {} elements", key.least, key.most);
  return fmt::format("{} to {}", limitText(slot, key.least), limitText(slot, key.most));
}

std::string assign(const ConfigKey& key, Config& config, const ConfigValue& value) {
  const ConfigSlot slot = key.slot(config);
  if (isText(slot)) {
    if (const auto* text = std::get_if<std::string>(&value)) return assignText(key, slot, *text);
    return fmt::format("is {}; {}", shown(value), wanted(key));
  }
  if (std::holds_alternative<std::vector<std::string>*>(slot)) {
    if (const auto* list = std::get_if<std::vector<std::string>>(&value))
      return assignList(key, slot, *list);
    return fmt::format("is {}; {}", shown(value), wanted(key));
  }
  if (const auto* text = std::get_if<std::string>(&value); text && *text == "auto") {
    if (auto* to = std::get_if<std::optional<double>*>(&slot)) return (*to)->reset(), "";
    if (auto* to = std::get_if<std::optional<std::uint64_t>*>(&slot)) return (*to)->reset(), "";
  }
  const auto read = number(slot, value);
  if (!read) return fmt::format("is {}; {}", shown(value), wanted(key));
  if (*read < key.least || *read > key.most)
    return fmt::format("is out of range with {}; {}", shown(value), wanted(key));
  store(slot, *read);
  return {};
}

std::string tomlValue(const ConfigKey& key, const Config& config) {
  Config copy = config;
  const auto list = [](const std::vector<std::string>& items) {
    std::vector<std::string> elements;
    for (const auto& item : items) elements.push_back(tomlString(item));
    return fmt::format("[{}]", fmt::join(elements, ", "));
  };
  return std::visit(Overloaded{
                        [](std::string* text) { return tomlString(*text); },
                        [](std::filesystem::path* path) { return tomlString(path->native()); },
                        [&](std::vector<std::string>* items) { return list(*items); },
                        [](double* number) { return fmt::format("{}", *number); },
                        [](Millis* span) { return tomlString(durationText(*span)); },
                        [](CountSlot slot) { return fmt::format("{}", *slot.value); },
                        [](SecondsSlot slot) {
                          return tomlString(durationText(std::chrono::seconds(*slot.value)));
                        },
                        [](SmallSizeSlot slot) { return tomlString(sizeText(*slot.value)); },
                        [](SizeSlot slot) { return tomlString(sizeText(*slot.value)); },
                        [](std::optional<double>* number) {
                          return *number ? fmt::format("{}", **number) : std::string("\"auto\"");
                        },
                        [](std::optional<std::uint64_t>* bytes) {
                          return *bytes ? tomlString(sizeText(**bytes)) : tomlString("auto");
                        },
                    },
                    key.slot(copy));
}

}  // namespace virtseer

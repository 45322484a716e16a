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
         std::holds_alternative<std::filesystem::path*>(slot) ||
         std::holds_alternative<ModeSlot>(slot) || std::holds_alternative<VmSlot>(slot);
}
bool isTruth(const ConfigSlot& slot) {
  return std::holds_alternative<bool*>(slot) || std::holds_alternative<FlagSlot>(slot);
}
bool isList(const ConfigSlot& slot) {
  return std::holds_alternative<std::vector<std::string>*>(slot) ||
         std::holds_alternative<std::vector<Millis>*>(slot);
}
bool isWhole(const ConfigSlot& slot) {
  return std::holds_alternative<CountSlot>(slot) || std::holds_alternative<PrioritySlot>(slot);
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
          [](bool truth) { return std::string(truth ? "true" : "false"); },
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
  const bool fits = real && !isWhole(slot) && std::isfinite(*real);
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
                 [&](PrioritySlot to) { *to.value = static_cast<int>(value); },
                 [&](std::optional<double>* to) { *to = value; },
                 [&](std::optional<std::uint64_t>* to) { *to = static_cast<std::uint64_t>(value); },
                 [](const auto&) {},
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
  std::visit(Overloaded{
                 [&](std::string* to) { *to = text; },
                 [&](std::filesystem::path* to) { *to = text; },
                 [&](ModeSlot to) { *to.value = parseMode(text); },
                 [&](VmSlot to) {
                   to.rule->vm = Uuid::parse(text);
                   to.rule->name_pattern = to.rule->vm ? "" : text;
                 },
                 [](const auto&) {},
             },
             slot);
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
  if (auto* to = std::get_if<std::vector<std::string>*>(&slot)) **to = list;
  if (auto* to = std::get_if<std::vector<Millis>*>(&slot)) {
    (*to)->clear();
    for (const std::string& element : list) (*to)->push_back(*parseDuration(element));
  }
  return {};
}

std::string assignTruth(const ConfigSlot& slot, bool truth) {
  if (auto* to = std::get_if<bool*>(&slot)) **to = truth;
  if (auto* to = std::get_if<FlagSlot>(&slot)) *to->value = truth;
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

std::string tomlList(const std::vector<std::string>& items) {
  std::vector<std::string> elements;
  for (const std::string& item : items) elements.push_back(tomlString(item));
  return fmt::format("[{}]", fmt::join(elements, ", "));
}

}  // namespace

std::string rangeText(const ConfigKey& key) {
  Config fresh;
  const ConfigSlot slot = key.slot(fresh, 0);
  if (isText(slot) || isTruth(slot)) return {};
  if (isList(slot)) return fmt::format("{} to {} elements", key.least, key.most);
  return fmt::format("{} to {}", limitText(slot, key.least), limitText(slot, key.most));
}

std::string assign(const ConfigKey& key, Config& config, const ConfigValue& value,
                   std::size_t table) {
  const ConfigSlot slot = key.slot(config, table);
  const auto* text = std::get_if<std::string>(&value);
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  const auto* truth = std::get_if<bool>(&value);
  const std::string other = fmt::format("is {}; {}", shown(value), wanted(key));
  if (isText(slot)) return text ? assignText(key, slot, *text) : other;
  if (isList(slot)) return list ? assignList(key, slot, *list) : other;
  if (isTruth(slot)) return truth ? assignTruth(slot, *truth) : other;
  if (text && *text == "auto") {
    if (auto* to = std::get_if<std::optional<double>*>(&slot)) return (*to)->reset(), "";
    if (auto* to = std::get_if<std::optional<std::uint64_t>*>(&slot)) return (*to)->reset(), "";
  }
  const auto read = number(slot, value);
  if (!read) return other;
  if (*read < key.least || *read > key.most)
    return fmt::format("is out of range with {}; {}", shown(value), wanted(key));
  store(slot, *read);
  return {};
}

std::string tomlValue(const ConfigKey& key, const Config& config, std::size_t table) {
  Config copy = config;
  return std::visit(
      Overloaded{
          [](std::string* text) { return tomlString(*text); },
          [](std::filesystem::path* path) { return tomlString(path->native()); },
          [](std::vector<std::string>* items) { return tomlList(*items); },
          [](std::vector<Millis>* spans) {
            std::vector<std::string> items;
            for (const Millis span : *spans) items.push_back(durationText(span));
            return tomlList(items);
          },
          [](double* number) { return fmt::format("{}", *number); },
          [](bool* truth) { return fmt::format("{}", *truth); },
          [](Millis* span) { return tomlString(durationText(*span)); },
          [](CountSlot slot) { return fmt::format("{}", *slot.value); },
          [](SecondsSlot slot) {
            return tomlString(durationText(std::chrono::seconds(*slot.value)));
          },
          [](SmallSizeSlot slot) { return tomlString(sizeText(*slot.value)); },
          [](SizeSlot slot) { return tomlString(sizeText(*slot.value)); },
          [](std::optional<double>* number) {
            return *number ? fmt::format("{}", **number) : tomlString("auto");
          },
          [](std::optional<std::uint64_t>* bytes) {
            return *bytes ? tomlString(sizeText(**bytes)) : tomlString("auto");
          },
          [](FlagSlot slot) { return fmt::format("{}", slot.value->value_or(slot.built_in)); },
          [](ModeSlot slot) { return tomlString(name(slot.value->value_or(Policy{}.mode))); },
          [](PrioritySlot slot) {
            return fmt::format("{}", slot.value->value_or(Policy{}.priority));
          },
          [](VmSlot slot) {
            return tomlString(slot.rule->vm ? slot.rule->vm->text() : slot.rule->name_pattern);
          },
      },
      key.slot(copy, table));
}

bool isSaid(const ConfigKey& key, const Config& config, std::size_t table) {
  Config copy = config;
  return std::visit(Overloaded{
                        [](FlagSlot slot) { return slot.value->has_value(); },
                        [](ModeSlot slot) { return slot.value->has_value(); },
                        [](PrioritySlot slot) { return slot.value->has_value(); },
                        [](const auto&) { return true; },
                    },
                    key.slot(copy, table));
}

}  // namespace virtseer

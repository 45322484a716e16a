#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/config.h"

namespace virtseer {

// How a value is written in the file, and where it lives in a Config.
struct CountSlot {  ///< a whole number
  std::uint32_t* value;
};
struct SecondsSlot {  ///< a duration of whole seconds
  std::uint32_t* value;
};
struct SmallSizeSlot {  ///< a size below 4 GiB
  std::uint32_t* value;
};
struct SizeSlot {
  std::uint64_t* value;
};
using ConfigSlot = std::variant<std::string*, std::filesystem::path*, std::vector<std::string>*,
                                double*, Millis*, CountSlot, SecondsSlot, SmallSizeSlot, SizeSlot,
                                std::optional<double>*, std::optional<std::uint64_t>*>;

/// One key of the configuration. Parsing, faults, `virtseer config show`, config/virtseer.toml and
/// the references are all made from the table of these; the default is what a fresh Config holds.
struct ConfigKey {
  std::string_view name;  ///< dotted: section.key
  std::string_view form;  ///< what to write, for a person: "duration", "size or \"auto\""
  double least;           ///< in milliseconds, bytes or units; of lists and texts: their length
  double most;
  std::string_view sentence;  ///< what it does; no line breaks
  ConfigSlot (*slot)(Config&);
  /// What is wrong with a text, path or element of a list; empty if nothing. May be null.
  std::string (*check)(std::string_view value);
};

/// All keys, in the order of the file; those of one section stand together.
std::span<const ConfigKey> configKeys();

/// Something that stands in a file and is no text, number or list of texts: its type's name.
struct OtherValue {
  std::string type;
};
using ConfigValue =
    std::variant<std::string, std::int64_t, double, std::vector<std::string>, OtherValue>;

/// Puts `value` where `key` lives; what is wrong and what would be right if it cannot, else empty.
std::string assign(const ConfigKey& key, Config& config, const ConfigValue& value);

/// The key's value in `config` as it is written in a TOML file.
std::string tomlValue(const ConfigKey& key, const Config& config);

/// "1s to 1h", "1 to 100 characters", "info, warning ..."; empty if there is nothing to say.
std::string rangeText(const ConfigKey& key);

/// The key or, if it has no dot, the section that was probably meant by `name`; empty if none is
/// near.
std::string nearestName(std::string_view name);

/// What holds between keys: each fault is the key to name and the message.
std::vector<std::pair<std::string, std::string>> checkTogether(const Config& config);

/// `config` as a TOML file; `commented`: every key commented out below its sentence, form and
/// range.
std::string configFile(const Config& config, bool commented);

/// The table of keys in Markdown, for docs/configuration.md.
std::string configMarkdown();

/// The list of keys in roff, for virtseer.toml(5).
std::string configRoff();

}  // namespace virtseer

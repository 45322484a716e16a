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
/// What a source of policy says or leaves unsaid; `built_in` is what then holds for a VM.
struct FlagSlot {
  std::optional<bool>* value;
  bool built_in;
};
struct ModeSlot {
  std::optional<Mode>* value;
};
struct PrioritySlot {  ///< a whole number
  std::optional<int>* value;
};
struct VmSlot {  ///< a UUID, or a pattern of names
  PolicyRule* rule;
};
using ConfigSlot = std::variant<std::string*, std::filesystem::path*, std::vector<std::string>*,
                                double*, bool*, Millis*, CountSlot, SecondsSlot, SmallSizeSlot,
                                SizeSlot, std::optional<double>*, std::optional<std::uint64_t>*,
                                std::vector<Millis>*, FlagSlot, ModeSlot, PrioritySlot, VmSlot>;

/// One key of the configuration. Parsing, faults, `virtseer config show`, config/virtseer.toml and
/// the references are all made from the table of these; the default is what a fresh Config holds.
struct ConfigKey {
  std::string_view name;  ///< dotted: section.key
  std::string_view form;  ///< what to write, for a person: "duration", "size or \"auto\""
  double least = 0;       ///< in milliseconds, bytes or units; of lists and texts: their length
  double most = 0;
  std::string_view sentence;  ///< what it does; no line breaks
  /// Where it lives; `table` counts the tables of its list from 0 (which grows up to there) and
  /// means nothing to the keys of a section.
  ConfigSlot (*slot)(Config&, std::size_t table) = nullptr;
  /// What is wrong with a text, path or element of a list; empty if nothing. May be null.
  std::string (*check)(std::string_view value) = nullptr;
  bool required = false;  ///< in every table of its list
};

/// All keys of sections, in the order of the file; those of one section stand together.
std::span<const ConfigKey> configKeys();

/// An array of tables, such as [[peers]]. The tables of all files are put one behind the other.
struct ConfigList {
  std::string_view name;      ///< dotted, without brackets
  std::string_view sentence;  ///< what one table is for
  std::size_t most;           ///< tables
  std::span<const ConfigKey> keys;
  std::string_view example;  ///< lines of a table
  std::size_t (*size)(const Config&);
};

/// All lists, in the order of the file: each behind its section, if it is in one.
std::span<const ConfigList> configLists();

/// Something that stands in a file and is no text, number, truth value or list of texts: its type's
/// name.
struct OtherValue {
  std::string type;
};
using ConfigValue =
    std::variant<std::string, std::int64_t, double, bool, std::vector<std::string>, OtherValue>;

/// Puts `value` where `key` lives; what is wrong and what would be right if it cannot, else empty.
std::string assign(const ConfigKey& key, Config& config, const ConfigValue& value,
                   std::size_t table = 0);

/// The key's value in `config` as it is written in a TOML file. Policy that is not said is shown as
/// what is built in; see isSaid().
std::string tomlValue(const ConfigKey& key, const Config& config, std::size_t table = 0);

/// False for a word of policy that `config` leaves unsaid.
bool isSaid(const ConfigKey& key, const Config& config, std::size_t table = 0);

/// "1s to 1h", "1 to 100 characters", "info, warning ..."; empty if there is nothing to say.
std::string rangeText(const ConfigKey& key);

/// The key or, if it has no dot, the section or list that was probably meant by `name`; empty if
/// none is near.
std::string nearestName(std::string_view name);

/// What holds between keys: each fault is the key to name and the message. A key of a list carries
/// the number of its table, from 0: "peers[1].name".
std::vector<std::pair<std::string, std::string>> checkTogether(const Config& config);

/// `config` as a TOML file; `commented`: every key commented out below its sentence, form and
/// range, and every list with its example.
std::string configFile(const Config& config, bool commented);

/// The tables of keys in Markdown, for docs/configuration.md.
std::string configMarkdown();

/// The list of keys in roff, for virtseer.toml(5).
std::string configRoff();

}  // namespace virtseer

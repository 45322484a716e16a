#include "daemon/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <tuple>

#include "base/text.h"
#include "daemon/config_keys.h"

namespace virtseer {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 1 << 20;
constexpr std::size_t kMaxFiles = 256;

struct Origin {
  std::string file;
  std::uint32_t line = 0;
};

/// What is gathered over all files.
struct Loading {
  LoadedConfig out;
  std::map<std::string, Origin, std::less<>> origins;

  void fault(const Origin& at, std::string key, std::string message) {
    out.faults.push_back({at.file, at.line, std::move(key), std::move(message)});
  }
};

std::string typeText(toml::node_type type) {
  switch (type) {
    case toml::node_type::table:
      return "a section";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::boolean:
      return "a truth value";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    default:
      return "something else";
  }
}

ConfigValue valueOf(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return whole->get();
  if (const auto* real = node.as_floating_point()) return real->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  if (const auto* array = node.as_array()) {
    std::vector<std::string> items;
    for (const toml::node& element : *array) {
      const auto* text = element.as_string();
      if (!text) return OtherValue{"a list of other things than texts"};
      items.push_back(text->get());
    }
    return items;
  }
  return OtherValue{typeText(node.type())};
}

std::string unknownText(std::string_view what, std::string_view name) {
  const std::string near = nearestName(name);
  return near.empty() ? fmt::format("unknown {}", what)
                      : fmt::format("unknown {}; did you mean {}?", what, near);
}

/// A table of a list, by the number that it gets there.
std::string placed(std::string_view list, std::size_t table) {
  return fmt::format("{}[{}]", list, table);
}

/// "peers.name" for "peers[1].name".
std::string withoutNumber(std::string_view key) {
  const auto open = key.find('['), close = key.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos) return std::string(key);
  return fmt::format("{}{}", key.substr(0, open), key.substr(close + 1));
}

void takeKey(Loading& loading, const std::string& name, const toml::node& node, const Origin& at) {
  const auto known = std::ranges::find(configKeys(), name, &ConfigKey::name);
  if (known == configKeys().end()) {
    loading.fault(at, name, unknownText("key", name));
    return;
  }
  if (auto message = assign(*known, loading.out.config, valueOf(node)); !message.empty())
    loading.fault(at, name, std::move(message));
  else
    loading.origins[name] = at;
}

/// One [[table]] of a list, put behind those that are there.
void takeListed(Loading& loading, const ConfigList& list, const toml::table& table,
                const Origin& at) {
  Config& config = loading.out.config;
  const std::size_t number = list.size(config);
  if (number >= list.most) {
    loading.fault(at, std::string(list.name), fmt::format("are more than {}", list.most));
    return;
  }
  list.keys.front().slot(config, number);
  for (const auto& [key, value] : table) {
    const std::string name = fmt::format("{}.{}", list.name, key.str());
    const Origin here{at.file, key.source().begin.line};
    const auto known = std::ranges::find(list.keys, name, &ConfigKey::name);
    if (known == list.keys.end())
      loading.fault(here, name, unknownText("key", name));
    else if (auto message = assign(*known, config, valueOf(value), number); !message.empty())
      loading.fault(here, name, std::move(message));
    loading.origins[fmt::format("{}.{}", placed(list.name, number), key.str())] = here;
  }
  for (const ConfigKey& key : list.keys)
    if (key.required && !table.contains(key.name.substr(list.name.size() + 1)))
      loading.fault(at, std::string(key.name), fmt::format("is missing: {}", key.form));
}

void takeList(Loading& loading, const ConfigList& list, const toml::node& node, const Origin& at) {
  const auto* array = node.as_array();
  const bool tables =
      array && std::ranges::all_of(*array, [](const toml::node& one) { return one.is_table(); });
  if (!tables) {
    loading.fault(at, std::string(list.name),
                  fmt::format("is {}; it must be tables: [[{}]]",
                              array ? "a list of other things" : typeText(node.type()), list.name));
    return;
  }
  for (const toml::node& one : *array)
    takeListed(loading, list, *one.as_table(), {at.file, one.source().begin.line});
}

void takeSection(Loading& loading, const std::string& file, const std::string& section,
                 const toml::table& table) {
  for (const auto& [key, value] : table) {
    const std::string name = fmt::format("{}.{}", section, key.str());
    const Origin at{file, key.source().begin.line};
    const auto list = std::ranges::find(configLists(), name, &ConfigList::name);
    if (list != configLists().end())
      takeList(loading, *list, value, at);
    else
      takeKey(loading, name, value, at);
  }
}

void takeTable(Loading& loading, const std::string& file, const toml::table& root) {
  for (const auto& [section, node] : root) {
    const std::string name(section.str());
    const Origin at{file, section.source().begin.line};
    const auto inside = [&](const ConfigKey& key) { return key.name.starts_with(name + "."); };
    const bool known = std::ranges::any_of(configKeys(), inside);
    const auto list = std::ranges::find(configLists(), name, &ConfigList::name);
    const toml::table* table = node.as_table();
    if (list != configLists().end())
      takeList(loading, *list, node, at);
    else if (!known)
      loading.fault(at, name, unknownText(table ? "section" : "key", name));
    else if (!table)
      loading.fault(at, name,
                    fmt::format("is {}; it must be a section: [{}]", typeText(node.type()), name));
    else
      takeSection(loading, file, name, *table);
  }
}

Result<std::string> readFile(const std::filesystem::path& file) {
  std::error_code wrong;
  const auto status = std::filesystem::status(file, wrong);
  if (!std::filesystem::exists(status)) return fail(Code::not_found, "there is no such file");
  if (!std::filesystem::is_regular_file(status)) return fail(Code::invalid, "is not a file");
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(Code::failed, fmt::format("cannot be read: {}", std::strerror(errno)));
  std::string text;
  char block[16384];
  while (in.read(block, sizeof block), in.gcount() > 0) {
    text.append(block, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxFileBytes) return fail(Code::invalid, "is larger than 1 MiB");
  }
  if (in.bad()) return fail(Code::failed, "cannot be read to its end");
  return text;
}

void takeFile(Loading& loading, const std::filesystem::path& file) {
  const auto text = readFile(file);
  if (!text) {
    loading.fault({file.string(), 0}, "", text.error().message);
    return;
  }
  try {
    takeTable(loading, file.string(), toml::parse(*text, file.string()));
  } catch (const toml::parse_error& error) {
    loading.fault({file.string(), error.source().begin.line}, "", std::string(error.description()));
  }
}

/// The *.toml files of the folder, sorted by name; a folder that cannot be read is a fault.
std::vector<std::filesystem::path> dropIns(Loading& loading, const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code wrong;
  if (!std::filesystem::exists(folder, wrong) && !wrong) return files;
  std::filesystem::directory_iterator entry(folder, wrong);
  for (; !wrong && entry != std::filesystem::directory_iterator(); entry.increment(wrong))
    if (entry->path().extension() == ".toml" && !entry->path().filename().string().starts_with('.'))
      files.push_back(entry->path());
  if (wrong)
    loading.fault({folder.string(), 0}, "", fmt::format("cannot be read: {}", wrong.message()));
  std::ranges::sort(files);
  if (files.size() > kMaxFiles) {
    loading.fault({folder.string(), 0}, "", fmt::format("holds more than {} files", kMaxFiles));
    files.resize(kMaxFiles);
  }
  return files;
}

}  // namespace

std::string text(const ConfigFault& fault) {
  std::string out = printable(fault.file);
  if (fault.line > 0) out += fmt::format(":{}", fault.line);
  if (!fault.key.empty()) out += fmt::format(": {}", printable(fault.key));
  return fmt::format("{}: {}", out, printable(fault.message));
}

std::optional<bool> diskLocks(const Config& config) {
  if (config.host.disk_locks == "detect") return std::nullopt;
  return config.host.disk_locks == "yes";
}

LoadedConfig loadConfig(const std::filesystem::path& file) {
  Loading loading;
  takeFile(loading, file);
  for (const auto& drop_in : dropIns(loading, file.parent_path() / "conf.d"))
    takeFile(loading, drop_in);
  for (auto& [key, message] : checkTogether(loading.out.config)) {
    const auto at = loading.origins.find(key);
    loading.fault(at == loading.origins.end() ? Origin{file.string(), 0} : at->second,
                  withoutNumber(key), std::move(message));
  }
  const auto place = [&](const ConfigFault& fault) {
    return std::tuple(fault.file != file.string(), fault.file, fault.line, fault.key,
                      fault.message);
  };
  std::ranges::sort(loading.out.faults, {}, place);
  return std::move(loading.out);
}

}  // namespace virtseer

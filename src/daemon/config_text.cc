#include <fmt/format.h>

#include "daemon/config_keys.h"

namespace virtseer {
namespace {

constexpr std::string_view kHeader =
    "# The configuration of virtseer, /etc/virtseer/virtseer.toml. See virtseer.toml(5).\n"
    "#\n"
    "# Every key stands here with its default, commented out. Files in conf.d/*.toml beside this "
    "one are\n"
    "# read after it, in order of their names; a later value replaces an earlier one, and "
    "[[tables]] "
    "are\n"
    "# put behind those that are there. Unknown keys are refused. Check with: virtseer config "
    "check\n"
    "#\n"
    "# Durations: whole numbers with ms, s, m, h or d. Sizes: whole numbers with KiB, MiB, GiB or "
    "TiB, or\n"
    "# plain bytes.\n";

std::string_view sectionOf(std::string_view name) {
  return name.substr(0, name.find('.'));
}
std::string_view lastOf(std::string_view name) {
  return name.substr(name.find('.') + 1);
}

/// `text` broken at spaces into lines of at most `width`, each begun with `prefix`.
std::string wrapped(std::string_view text, std::string_view prefix, std::size_t width) {
  std::string out;
  while (!text.empty()) {
    std::size_t length = text.size();
    if (prefix.size() + length > width) {
      length = text.rfind(' ', width - prefix.size());
      if (length == std::string_view::npos || length == 0)
        length = std::min(text.find(' '), text.size());
    }
    out += fmt::format("{}{}\n", prefix, text.substr(0, length));
    text.remove_prefix(std::min(text.size(), length + 1));
  }
  return out;
}

/// The lists that stand behind the keys of `section`: its own, or, after the last, those in none.
bool belongsTo(const ConfigList& list, std::string_view section) {
  return list.name.contains('.') ? sectionOf(list.name) == section : section.empty();
}

std::string formAndRange(const ConfigKey& key) {
  const std::string range = rangeText(key);
  return range.empty() ? std::string(key.form) : fmt::format("{}; {}", key.form, range);
}

std::string roffText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '\'' || c == '.')
      out += fmt::format("\\&{}", c);
    else
      out += c;
  }
  return out;
}

/// `text` within a quoted argument of a roff request.
std::string quotedRoff(std::string_view text) {
  std::string out;
  for (const char c : roffText(text)) out += c == '"' ? std::string("\\(dq") : std::string(1, c);
  return out;
}

std::string listedDefault(const ConfigKey& key) {
  Config fresh;
  key.slot(fresh, 0);
  if (key.required) return "required";
  return isSaid(key, fresh) ? fmt::format("`{}`", tomlValue(key, fresh)) : "as before";
}

/// What a list is for, its keys and a table of it, all as comments that stay comments where keys
/// are taken into use.
std::string exampleOf(const ConfigList& list) {
  std::string out = fmt::format("\n# [[{}]]\n", list.name);
  out += wrapped(list.sentence, "# ", 100);
  out += wrapped(fmt::format("(at most {} of them; those of conf.d are put behind)", list.most),
                 "# ", 100);
  for (const ConfigKey& key : list.keys) {
    std::string item =
        wrapped(fmt::format("{} ({}{}): {}", key.name.substr(list.name.size() + 1),
                            formAndRange(key), key.required ? "; required" : "", key.sentence),
                "#   ", 100);
    item[2] = '-';
    out += item;
  }
  out += fmt::format("#\n#   [[{}]]\n", list.name);
  for (std::string_view rest = list.example; !rest.empty();) {
    const auto end = rest.find('\n');
    out += fmt::format("#   {}\n", rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return out;
}

std::string tablesOf(const ConfigList& list, const Config& config) {
  std::string out;
  for (std::size_t table = 0; table < list.size(config); ++table) {
    out += fmt::format("\n[[{}]]\n", list.name);
    for (const ConfigKey& key : list.keys)
      if (isSaid(key, config, table))
        out += fmt::format("{} = {}\n", key.name.substr(list.name.size() + 1),
                           tomlValue(key, config, table));
  }
  return out;
}

}  // namespace

std::string configFile(const Config& config, bool commented) {
  std::string out(commented ? kHeader : "");
  const auto lists = [&](std::string_view section) {
    for (const ConfigList& list : configLists())
      if (belongsTo(list, section)) out += commented ? exampleOf(list) : tablesOf(list, config);
  };
  std::string_view section = sectionOf(configKeys().front().name);
  out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", section);
  for (const ConfigKey& key : configKeys()) {
    if (sectionOf(key.name) != section) {
      lists(section);
      section = sectionOf(key.name);
      out += fmt::format("\n[{}]\n", section);
    }
    if (commented) {
      out += '\n';
      out += wrapped(key.sentence, "# ", 100);
      out += wrapped(fmt::format("({})", formAndRange(key)), "# ", 100);
    }
    out +=
        fmt::format("{}{} = {}\n", commented ? "#" : "", lastOf(key.name), tomlValue(key, config));
  }
  lists(section);
  lists("");
  return out;
}

std::string configMarkdown() {
  std::string out = "| key | default | form | what it does |\n|---|---|---|---|\n";
  for (const ConfigKey& key : configKeys())
    out += fmt::format("| `{}` | `{}` | {} | {} |\n", key.name, tomlValue(key, Config{}),
                       formAndRange(key), key.sentence);
  for (const ConfigList& list : configLists()) {
    out += fmt::format(
        "\n`[[{}]]`: {} At most {} of them; those of `conf.d` are put behind.\n\n"
        "| key | default | form | what it does |\n|---|---|---|---|\n",
        list.name, list.sentence, list.most);
    for (const ConfigKey& key : list.keys)
      out += fmt::format("| `{}` | {} | {} | {} |\n", key.name.substr(list.name.size() + 1),
                         listedDefault(key), formAndRange(key), key.sentence);
    out += fmt::format("\n```toml\n[[{}]]\n{}```\n", list.name, list.example);
  }
  return out;
}

std::string configRoff() {
  std::string out;
  std::string_view section;
  for (const ConfigKey& key : configKeys()) {
    if (sectionOf(key.name) != section) {
      section = sectionOf(key.name);
      out += fmt::format(".SS [{}]\n", section);
    }
    out += fmt::format(".TP\n.BR {} \" = {}\"\n", roffText(lastOf(key.name)),
                       quotedRoff(tomlValue(key, Config{})));
    out += wrapped(roffText(key.sentence), "", 100);
    out += fmt::format("({})\n", roffText(formAndRange(key)));
  }
  for (const ConfigList& list : configLists()) {
    out += fmt::format(".SS [[{}]]\n{}", list.name, wrapped(roffText(list.sentence), "", 100));
    out += fmt::format("At most {} of them; those of conf.d are put behind.\n", list.most);
    for (const ConfigKey& key : list.keys) {
      out += fmt::format(".TP\n.B {}\n{}", roffText(key.name.substr(list.name.size() + 1)),
                         wrapped(roffText(key.sentence), "", 100));
      out += fmt::format("({}{})\n", roffText(formAndRange(key)), key.required ? "; required" : "");
    }
    out += fmt::format(".PP\n.EX\n[[{}]]\n{}.EE\n", list.name, roffText(list.example));
  }
  return out;
}

}  // namespace virtseer

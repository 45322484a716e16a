#include <fmt/format.h>

#include "daemon/config_keys.h"

namespace virtseer {
namespace {

constexpr std::string_view kHeader =
    "# The configuration of virtseer, /etc/virtseer/virtseer.toml. See virtseer.toml(5).\n"
    "#\n"
    "# Every key stands here with its default, commented out. Files in conf.d/*.toml beside this "
    "one are\n"
    "# read after it, in order of their names; a later value replaces an earlier one. Unknown keys "
    "are\n"
    "# refused. Check with: virtseer config check\n"
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

}  // namespace

std::string configFile(const Config& config, bool commented) {
  std::string out(commented ? kHeader : "");
  std::string_view section;
  for (const ConfigKey& key : configKeys()) {
    if (sectionOf(key.name) != section) {
      section = sectionOf(key.name);
      out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", section);
    }
    if (commented) {
      out += '\n';
      out += wrapped(key.sentence, "# ", 100);
      out += wrapped(fmt::format("({})", formAndRange(key)), "# ", 100);
    }
    out +=
        fmt::format("{}{} = {}\n", commented ? "#" : "", lastOf(key.name), tomlValue(key, config));
  }
  return out;
}

std::string configMarkdown() {
  std::string out = "| key | default | form | what it does |\n|---|---|---|---|\n";
  for (const ConfigKey& key : configKeys())
    out += fmt::format("| `{}` | `{}` | {} | {} |\n", key.name, tomlValue(key, Config{}),
                       formAndRange(key), key.sentence);
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
    out += fmt::format(".TP\n.BR {} \" = {}\"\n", roffText(lastOf(key.name)), [&] {
      std::string value;
      for (const char c : roffText(tomlValue(key, Config{})))
        value += c == '"' ? std::string("\\(dq") : std::string(1, c);
      return value;
    }());
    out += wrapped(roffText(key.sentence), "", 100);
    out += fmt::format("({})\n", roffText(formAndRange(key)));
  }
  return out;
}

}  // namespace virtseer

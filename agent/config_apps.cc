#include "agent/config_apps.h"

#include <sys/un.h>

#include <algorithm>
#include <utility>

#include "agent/boot_options.h"
#include "agent/scan.h"
#include "agent/scrape_target.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kMaxNameBytes = 64;
constexpr std::uint32_t kLeastIntervalMs = 5000;

bool isOwnName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

template <class Entry>
bool hasName(const std::vector<Entry>& entries, std::string_view name) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const Entry& entry) { return entry.name == name; });
}

std::string addPatterns(Config::Endpoint& endpoint, std::string_view words) {
  for (std::string_view word = takeWord(words); !word.empty(); word = takeWord(words)) {
    auto pattern = parsePattern(word);
    if (!pattern)
      return "has the pattern '" + std::string(word.substr(0, 100)) +
             "', which is not like pg_stat_database_* or pg_stat_database_*{datname}; no blanks, "
             "and at most 7 labels";
    if (endpoint.patterns.size() >= Config::kMaxPatterns) return "has more than 16 patterns";
    endpoint.patterns.push_back(std::move(*pattern));
  }
  return {};
}

}  // namespace

std::string addScrape(Config& config, std::string_view value) {
  Config::Endpoint endpoint;
  endpoint.name = takeWord(value);
  endpoint.url = takeWord(value);
  if (!isOwnName(endpoint.name) || endpoint.url.empty())
    return "is not NAME URL PATTERN..., such as: postgres http://127.0.0.1:9187/metrics "
           "pg_stat_database_*{datname}; a NAME holds letters, digits, '_', '-' and '.'";
  if (const auto target = parseTarget(endpoint.url); !target)
    return "has a URL that " + target.error();
  if (std::string wrong = addPatterns(endpoint, value); !wrong.empty()) return wrong;
  if (hasName(config.scrape, endpoint.name))
    return "has the name of another: choose one of its own";
  if (config.scrape.size() >= Config::kMaxEndpoints) return "is one too many: 8 at most";
  config.scrape.push_back(std::move(endpoint));
  return {};
}

std::string setScrapeInterval(Config& config, std::string_view value) {
  const auto interval = parseInterval(value);
  if (!interval || *interval < kLeastIntervalMs) return "is no time from 5s to 3600s, such as 15s";
  config.scrape_interval_ms = *interval;
  return {};
}

std::string setStatsd(Config& config, std::string_view value) {
  if (!value.starts_with('/') || value.size() >= sizeof(sockaddr_un::sun_path))
    return "is no absolute path of at most 107 characters";
  config.statsd = value;
  return {};
}

std::string setStatsdMode(Config& config, std::string_view value) {
  std::uint32_t mode = 0;
  const bool octal =
      value.size() >= 3 && value.size() <= 4 && value.find_first_not_of("01234567") == value.npos;
  for (const char c : value.substr(0, octal ? value.size() : 0))
    mode = mode * 8 + static_cast<std::uint32_t>(c - '0');
  if (!octal || mode > 0777)
    return "is no mode: give 0660 to let the agent's group send, 0666 to let every program";
  config.statsd_mode = mode;
  return {};
}

std::string setStatsdUdp(Config& config, std::string_view value) {
  const auto port = parseNumber(value);
  if (!port || *port == 0 || *port > 65535) return "is no port, such as 8125";
  config.statsd_udp = static_cast<std::uint16_t>(*port);
  return {};
}

std::string addUprobe(Config& config, std::string_view value) {
  Config::Uprobe uprobe;
  uprobe.name = takeWord(value);
  uprobe.path = takeWord(value);
  uprobe.symbol = takeWord(value);
  if (!isOwnName(uprobe.name) || !uprobe.path.starts_with('/') || uprobe.symbol.empty() ||
      !takeWord(value).empty())
    return "is not NAME PATH SYMBOL, such as: malloc /lib/x86_64-linux-gnu/libc.so.6 malloc; a "
           "NAME holds letters, digits, '_', '-' and '.'";
  if (hasName(config.uprobes, uprobe.name)) return "has the name of another: choose one of its own";
  if (config.uprobes.size() >= Config::kMaxUprobes) return "is one too many: 32 at most";
  config.uprobes.push_back(std::move(uprobe));
  return {};
}

}  // namespace virtseer::agent

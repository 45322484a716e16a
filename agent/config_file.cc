#include "agent/config_file.h"

#include <sys/un.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "agent/boot_options.h"
#include "agent/config_apps.h"
#include "agent/file.h"
#include "agent/login.h"
#include "agent/scan.h"
#include "agent/server_address.h"
#include "virtseer/echo/report.h"
#include "virtseer/echo/text.h"
#include "virtseer/uuid.h"

namespace virtseer::agent {
namespace {

constexpr std::string_view kBlanks = " \t\r";

/// What is wrong with a value; empty: nothing.
using Fault = std::string;

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool isPath(std::string_view text) {
  return text.starts_with('/') && text.size() < 4096;
}
bool isSocketPath(std::string_view text) {
  return isPath(text) && text.size() < sizeof(sockaddr_un::sun_path);
}

Fault setPath(std::string& to, std::string_view value) {
  if (!isPath(value)) return "is no absolute path: begin it with /";
  to = value;
  return {};
}

Fault setPort(Config& config, std::string_view value) {
  constexpr std::string_view kUnix = "unix:";
  const bool socket = value.starts_with(kUnix);
  if (socket ? !isSocketPath(value.substr(kUnix.size())) : !isPath(value))
    return "is neither the path of a device nor unix: and the path of a socket";
  config.port = value;
  return {};
}

Fault setServer(Config& config, std::string_view value) {
  if (!parseServer(value))
    return "is neither tls://HOST:PORT nor vsock://CID:PORT, such as tls://192.0.2.1:8687 or "
           "vsock://2:8687";
  config.server = value;
  return {};
}

Fault setServerName(Config& config, std::string_view value) {
  if (!parseIpAddress(std::string(value)) && !parseServer("tls://" + std::string(value) + ":1"))
    return "is neither a host's name nor an address";
  config.server_name = value;
  return {};
}

Fault setUuid(Config& config, std::string_view value) {
  const auto uuid = Uuid::parse(value);
  if (!uuid || uuid->isNil())
    return "is no UUID: give what 'virsh domuuid' says on the host, such as "
           "1b4e28ba-2fa1-41d2-883f-0016d3cca427";
  config.vm_uuid = uuid->text();
  return {};
}

Fault setInterval(Config& config, std::string_view value) {
  const auto interval = parseInterval(value);
  if (!interval) return "is no time from 200ms to 3600s, such as 5s";
  config.interval_ms = *interval;
  return {};
}

Fault setTop(Config& config, std::string_view value) {
  const auto number = parseNumber(value);
  if (!number || *number > echo::kMaxTableRows)
    return "is no whole number from 0 to " + std::to_string(echo::kMaxTableRows);
  config.top_processes = static_cast<std::uint32_t>(*number);
  return {};
}

Fault setFlag(bool& flag, std::string_view value) {
  if (value != "yes" && value != "no") return "is neither yes nor no";
  flag = value == "yes";
  return {};
}

struct Key {
  std::string_view name;
  Fault (*set)(Config& config, std::string_view value);
  bool many = false;  ///< may occur more than once
};

constexpr Key kKeys[] = {
    {"port", setPort},
    {"server", setServer},
    {"server_ca", [](Config& c, std::string_view v) { return setPath(c.server_ca, v); }},
    {"server_name", setServerName},
    {"token_file", [](Config& c, std::string_view v) { return setPath(c.token_file, v); }},
    {"vm_uuid", setUuid},
    {"interval", setInterval},
    {"top_processes", setTop},
    {"scrape", addScrape, true},
    {"scrape_interval", setScrapeInterval},
    {"statsd", setStatsd},
    {"statsd_mode", setStatsdMode},
    {"statsd_udp", setStatsdUdp},
    {"uprobe", addUprobe, true},
    {"ebpf", [](Config& c, std::string_view v) { return setFlag(c.ebpf, v); }},
    {"logs", [](Config& c, std::string_view v) { return setFlag(c.logs, v); }},
};

/// Reads line by line.
class Parser {
 public:
  LoadedConfig parse(std::string_view text) {
    while (!text.empty() && !full()) {
      ++line_;
      const std::string_view line = trim(takeLine(text));
      if (!line.empty() && !line.starts_with('#')) takeEntry(line);
    }
    if (!full()) checkTogether();
    return std::move(loaded_);
  }

 private:
  bool full() const { return loaded_.faults.size() >= kMaxFaults; }

  void fault(std::size_t line, const std::string& message) {
    if (!full()) loaded_.faults.push_back({line, echo::cleanText(message, 1024)});
  }

  void takeEntry(std::string_view line) {
    const auto equals = line.find('=');
    if (equals == line.npos)
      return fault(line_, "is neither 'key = value' nor a remark that begins with #");
    const std::string_view name = trim(line.substr(0, equals));
    const std::string_view value = trim(line.substr(equals + 1));
    const auto* key = std::find_if(std::begin(kKeys), std::end(kKeys),
                                   [&](const Key& known) { return known.name == name; });
    if (key == std::end(kKeys))
      return fault(line_, "there is no key '" + shown(name) + "': there are " + names());
    const std::string label(key->name);
    const auto [seen, fresh] = lines_.try_emplace(key->name, line_);
    if (!fresh && !key->many)
      return fault(line_, label + " stands in line " + std::to_string(seen->second) +
                              " already: take one away");
    if (value.empty())
      return fault(line_, label + " has no value: give one, or take the line away");
    if (value.find(" #") != value.npos)
      return fault(line_, label + ": a remark stands on a line of its own");
    if (!echo::isPrintable(value)) return fault(line_, label + " holds control characters");
    if (const Fault wrong = key->set(loaded_.config, value); !wrong.empty())
      fault(line_, label + ": '" + shown(value) + "' " + wrong);
  }

  void checkTogether() {
    const auto server = parseServer(loaded_.config.server);
    if (!server) return;
    const std::size_t line = lines_["server"];
    if (loaded_.config.token_file.empty())
      fault(line, "server needs token_file: what 'virtseer enroll' made for this VM on the host");
    if (server->kind == Server::Kind::tls && loaded_.config.server_ca.empty())
      fault(line, "server needs server_ca: the certificate that the host's is checked against");
  }

  static std::string shown(std::string_view text) { return echo::cleanText(text, 100); }

  static std::string names() {
    std::string list;
    for (const Key& key : kKeys) list += (list.empty() ? "" : ", ") + std::string(key.name);
    return list;
  }

  std::size_t line_ = 0;
  std::map<std::string_view, std::size_t> lines_;  ///< where each key stood
  LoadedConfig loaded_;
};

}  // namespace

LoadedConfig parseConfig(std::string_view text) {
  return Parser().parse(text);
}

LoadedConfig loadConfig(const std::string& file, bool must_exist) {
  const auto content = readFile(file);
  if (content) return parseConfig(*content);
  if (!must_exist && !exists(file)) return {};
  return {{}, {{0, "cannot be read: " + content.error()}}};
}

std::vector<ConfigFault> checkFiles(const Config& config) {
  std::vector<ConfigFault> faults;
  const auto check = [&](const auto& result) {
    if (!result) faults.push_back({0, echo::cleanText(result.error(), 1024)});
  };
  if (!config.token_file.empty()) check(readToken(config.token_file));
  if (!config.server_ca.empty()) check(readFile(config.server_ca));
  for (const Config::Uprobe& uprobe : config.uprobes)
    if (!exists(uprobe.path)) faults.push_back({0, uprobe.path + ": there is no such file"});
  return faults;
}

}  // namespace virtseer::agent

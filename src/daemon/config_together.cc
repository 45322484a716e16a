#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include "collect/accepted_socket.h"
#include "daemon/config_checks.h"
#include "daemon/config_keys.h"
#include "daemon/config_size.h"
#include "daemon/foresight.h"
#include "decide/rules.h"

namespace virtseer {
namespace {

using Faults = std::vector<std::pair<std::string, std::string>>;

/// A bearer token is guessed over the network: 16 characters of hex are 64 bits.
constexpr std::size_t kMinTokenBytes = 16;

std::string checkTokenFile(const std::filesystem::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0)
    return fmt::format("cannot look at {}: {}", file.string(), std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return fmt::format("{} is not a file", file.string());
  if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0)
    return fmt::format("{} is open to everybody: chmod o= {}", file.string(), file.string());
  std::string token;
  if (!(std::ifstream(file) >> token) || token.size() < kMinTokenBytes)
    return fmt::format(
        "{} holds no token of at least {} characters: make one with "
        "'openssl rand -hex 32'",
        file.string(), kMinTokenBytes);
  return {};
}

void checkApi(const Config& config, Faults& faults) {
  const std::string address = addressForOthers(config.api.listen);
  if (!address.empty() && config.api.token_file.empty())
    faults.emplace_back(
        "api.listen",
        fmt::format("{} is not a loopback address: set api.token_file, or listen on 127.0.0.1",
                    address));
  if (!config.api.token_file.empty())
    if (auto fault = checkTokenFile(config.api.token_file); !fault.empty())
      faults.emplace_back("api.token_file", std::move(fault));
}

void checkEcho(const Config& config, Faults& faults) {
  if (config.echo.listen_tls.empty()) return;
  const auto missing = [&](const std::filesystem::path& path, const char* key) {
    if (path.empty()) faults.emplace_back(key, "must be set where echo.listen_tls is");
    return path.empty();
  };
  const bool lacks = missing(config.echo.tls_certificate, "echo.tls_certificate");
  if (missing(config.echo.tls_key, "echo.tls_key") || lacks) return;
  const auto& key = config.echo.tls_key;
  struct stat status{};
  if (::stat(key.c_str(), &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH)) != 0)
    faults.emplace_back("echo.tls_key", fmt::format("{} is open to everybody: chmod o= {}",
                                                    key.string(), key.string()));
  const auto identity = collect::loadTlsIdentity(config.echo.tls_certificate, key);
  if (!identity) faults.emplace_back("echo.tls_certificate", identity.error().message);
}

void checkHost(const Config& config, Faults& faults) {
  if (config.host.cpus && config.host.reserve_cpus >= *config.host.cpus)
    faults.emplace_back("host.reserve_cpus", "leaves nothing of host.cpus to the VMs: lower it");
  if (config.host.memory_bytes && config.host.reserve_memory_bytes >= *config.host.memory_bytes)
    faults.emplace_back("host.reserve_memory",
                        "leaves nothing of host.memory to the VMs: lower it");
  const std::set<std::string> uris(config.libvirt.uris.begin(), config.libvirt.uris.end());
  if (uris.size() != config.libvirt.uris.size())
    faults.emplace_back("libvirt.uris",
                        "names an environment twice: its VMs would be counted twice");
}

void checkForecast(const Config& config, Faults& faults) {
  constexpr int kStepsPerHorizon = 6;
  const auto& horizons = config.forecast.horizons;
  if (std::ranges::adjacent_find(horizons, std::greater_equal{}) != horizons.end())
    faults.emplace_back("forecast.horizons", "must rise from one to the next");
  const Millis shortest = kStepsPerHorizon * config.forecast.step;
  if (!horizons.empty() && std::ranges::min(horizons) < shortest)
    faults.emplace_back(
        "forecast.horizons",
        fmt::format("{} is shorter than {} steps of {}: lower forecast.step, or look further ahead",
                    durationText(std::ranges::min(horizons)), kStepsPerHorizon,
                    durationText(config.forecast.step)));
}

/// Three echoes may be under way or lost before an agent is taken for silent.
void checkEchoes(const Config& config, Faults& faults) {
  constexpr int kEchoes = 3;
  const auto& interval = config.echo.interval;
  const auto& echo_back = config.migration.echo_back;
  if (config.peers.empty() || kEchoes * interval <= echo_back) return;
  faults.emplace_back(
      "echo.interval",
      fmt::format("{} is longer than a third of migration.echo_back, {}: a VM that does well would "
                  "be taken for silent after each move; lower it, or raise migration.echo_back",
                  durationText(interval), durationText(echo_back)));
}

/// What the planner's rules say about contradictions; their words begin with the name of a rule.
void checkPlan(const Config& config, Faults& faults) {
  const auto checked = decide::check(daemon::plannerRules(config));
  if (checked) return;
  const std::string& words = checked.error().message;
  const std::string named = "plan." + words.substr(0, words.find(' '));
  const bool known = std::ranges::find(configKeys(), named, &ConfigKey::name) != configKeys().end();
  faults.emplace_back(known ? named : "plan.threshold", words);
}

void checkPeers(const Config& config, Faults& faults) {
  std::map<std::string, std::string> by_url;
  std::set<std::string> names;
  for (std::size_t i = 0; i < config.peers.size(); ++i) {
    const PeerConfig& peer = config.peers[i];
    const auto fault = [&](std::string_view key, std::string message) {
      faults.emplace_back(fmt::format("peers[{}].{}", i, key), std::move(message));
    };
    if (!peer.name.empty() && !names.insert(peer.name).second)
      fault("name", fmt::format("there is a peer {} already", peer.name));
    if (!peer.name.empty() && peer.name == config.host.name)
      fault("name", fmt::format("{} is this host itself: host.name", peer.name));
    const auto [known, fresh] = by_url.emplace(peer.url, peer.name);
    if (!peer.url.empty() && !fresh)
      fault("url", fmt::format("is that of the peer {} already", known->second));
    if (!peer.token_file.empty())
      if (auto wrong = checkTokenFile(peer.token_file); !wrong.empty())
        fault("token_file", std::move(wrong));
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> checkTogether(const Config& config) {
  Faults faults;
  checkApi(config, faults);
  checkEcho(config, faults);
  checkHost(config, faults);
  checkForecast(config, faults);
  checkEchoes(config, faults);
  checkPlan(config, faults);
  checkPeers(config, faults);
  return faults;
}

}  // namespace virtseer

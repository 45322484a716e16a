#include "daemon/service_options.h"

#include <fmt/format.h>

#include <fstream>

namespace virtseer::daemon {

Millis usageWindow(const Config& config) {
  return 3 * std::max(config.libvirt.interval, config.echo.interval);
}

collect::AgentLinksOptions linkOptions(const Config& config) {
  collect::AgentLinksOptions options;
  options.limits.max_faults = config.echo.max_faults;
  options.limits.max_frames_per_second = config.echo.max_frames_per_second;
  options.retry = config.echo.retry;
  return options;
}

echo::Settings agentSettings(const Config& config) {
  return {.interval_ms = static_cast<std::uint32_t>(config.echo.interval.count()),
          .top_processes = config.echo.top_processes,
          .collectors = config.echo.collectors};
}

std::filesystem::path tokenFolder(const Config& config) {
  return config.echo.tokens.empty() ? config.state.directory / "agents" : config.echo.tokens;
}

bool listensToAgents(const Config& config) {
  return !config.echo.listen_tls.empty() || config.echo.listen_vsock != 0;
}

collect::AgentListenerOptions listenerOptions(const Config& config) {
  collect::AgentListenerOptions options;
  options.tls = config.echo.listen_tls;
  options.certificate = config.echo.tls_certificate;
  options.key = config.echo.tls_key;
  options.vsock_port = config.echo.listen_vsock;
  options.tokens = tokenFolder(config);
  options.limits.clients = config.echo.max_clients;
  return options;
}

EnrollWish enrollWish(const Config& config, const api::EnrollRequest& request) {
  const auto vsock = config.echo.listen_vsock;
  EnrollWish wish{.remove = request.remove,
                  .way = request.way,
                  .address = request.address,
                  .balloon_period_s = config.libvirt.balloon_period_s,
                  .next_start = request.next_start};
  if (wish.way == EchoWay::tls) wish.listens = !config.echo.listen_tls.empty();
  if (wish.way == EchoWay::vsock) {
    wish.listens = vsock != 0;
    if (wish.address.empty() && !wish.remove && wish.listens) wish.address = std::to_string(vsock);
  }
  return wish;
}

collect::HostProbeOptions probeOptions(const Config& config) {
  collect::HostProbeOptions options;
  options.cgroup = config.host.cgroup;
  options.cpus = config.host.cpus;
  options.memory_bytes = config.host.memory_bytes;
  options.reserve_cpus = config.host.reserve_cpus;
  options.reserve_memory_bytes = config.host.reserve_memory_bytes;
  return options;
}

Result<std::string> readToken(const std::filesystem::path& file) {
  if (file.empty()) return std::string();
  std::string token;
  if (!(std::ifstream(file) >> token) || token.size() < 16)
    return fail(Code::invalid,
                fmt::format("{}: no token of at least 16 characters in it: make one with "
                            "'openssl rand -hex 32'",
                            file.string()));
  return token;
}

Result<std::vector<fleet::PeerOptions>> peerOptions(const Config& config) {
  std::vector<fleet::PeerOptions> out;
  for (const auto& peer : config.peers) {
    auto token = readToken(peer.token_file);
    if (!token) return fail(token.error().in("peer " + peer.name));
    out.push_back({.name = peer.name,
                   .url = peer.url,
                   .token = std::move(*token),
                   .migration_uri = peer.migration_uri.empty()
                                        ? fmt::format("qemu+tls://{}/system", peer.name)
                                        : peer.migration_uri});
  }
  return out;
}

}  // namespace virtseer::daemon

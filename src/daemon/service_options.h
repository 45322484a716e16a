#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "api/decisions.h"
#include "collect/agent_links.h"
#include "collect/agent_listener.h"
#include "collect/host_probe.h"
#include "daemon/config.h"
#include "fleet/peers.h"

/// What the configuration means for each part of the daemon.
namespace virtseer::daemon {

/// How far back the latest use of a VM is looked for.
Millis usageWindow(const Config& config);
collect::AgentLinksOptions linkOptions(const Config& config);
/// What agents are told of which nobody said otherwise.
echo::Settings agentSettings(const Config& config);
collect::AgentListenerOptions listenerOptions(const Config& config);
/// Where the tokens of VMs lie whose agents call.
std::filesystem::path tokenFolder(const Config& config);
/// Whether agents may call at all.
bool listensToAgents(const Config& config);
/// What a person asks for, with what this host has to offer.
EnrollWish enrollWish(const Config& config, const api::EnrollRequest& request);
collect::HostProbeOptions probeOptions(const Config& config);

/// The first word of a file; empty without a file. invalid: none of at least 16 characters.
Result<std::string> readToken(const std::filesystem::path& file);
/// With their tokens, which are read here.
Result<std::vector<fleet::PeerOptions>> peerOptions(const Config& config);

}  // namespace virtseer::daemon

#pragma once

#include <expected>
#include <string>

#include "agent/config.h"

/// What a guest says of itself on a connection that it made: which VM it is, and its token.
namespace virtseer::agent {

/// The token in a file that nobody else may read. Failure: path, reason and what to do; never what
/// the file holds.
std::expected<std::string, std::string> readToken(const std::string& path);

/// This VM's UUID: the configuration's, else what the service manager or the firmware below `root`
/// says. Failure: what to do.
std::expected<std::string, std::string> vmUuid(const Config& config, const std::string& root);

/// The frame that opens a connection. It holds the token: to be wiped after use.
std::expected<std::string, std::string> loginFrame(const Config& config, const std::string& root);

/// Overwrites a text that held a secret, and empties it.
void wipe(std::string& secret);

}  // namespace virtseer::agent

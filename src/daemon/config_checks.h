#pragma once

#include <string>
#include <string_view>

namespace virtseer {

// What is wrong with one text of the configuration and what would be right; empty if nothing.
std::string checkLevel(std::string_view value);
std::string checkDiskLocks(std::string_view value);
std::string checkAbsolutePath(std::string_view value);
std::string checkPathOrEmpty(std::string_view value);
std::string checkUri(std::string_view value);
std::string checkHostName(std::string_view value);
std::string checkAllowedHost(std::string_view value);
std::string checkCgroup(std::string_view value);
std::string checkListen(std::string_view value);
std::string checkMigrationUri(std::string_view value);
std::string checkPeerUrl(std::string_view value);
std::string checkMode(std::string_view value);
std::string checkVmPattern(std::string_view value);
std::string checkHorizon(std::string_view value);
std::string checkCollector(std::string_view value);

/// The address of an "ADDRESS:PORT" that others than this machine can reach; empty if it is none.
std::string addressForOthers(std::string_view value);

}  // namespace virtseer

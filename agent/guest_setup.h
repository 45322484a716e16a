#pragma once

#include <cstdarg>
#include <optional>
#include <string>

#include "agent/boot_options.h"

/// The steps that make a bare kernel a guest. Each may be repeated: what is done already stays
/// done.
namespace virtseer::agent {

/// Writes a line to the console, which is the standard error of the appliance.
[[gnu::format(printf, 1, 2)]] void say(const char* format, ...);

/// Mounts /proc, /sys, /dev, /run, /tmp and the trace file system.
void mountSystem();
/// Makes /dev/console the standard streams.
void openConsole();
/// Loads the modules whose paths stand in /lib/modules/order, in that order.
void loadModules();
/// Mounts the first virtio disk that holds ext4 on /data, unless something is mounted there.
void mountData();
/// Takes plugged-in processors and memory into use.
void onlineProcessorsAndMemory();
/// Brings every interface up, and gives the first Ethernet interface its address.
void bringUpNetwork(const std::optional<Ipv4Network>& address);

}  // namespace virtseer::agent

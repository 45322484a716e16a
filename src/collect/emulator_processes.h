#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <set>

#include "virtseer/uuid.h"

namespace virtseer::collect {

/// The processes that run these VMs, as their command lines say (`-uuid UUID`, which libvirt gives
/// every QEMU). Of several that name the same VM the one that began first counts: what came later
/// may only claim it. Reads the command line of every process that can be seen below `proc`:
/// blocks.
std::map<Uuid, pid_t> emulatorProcesses(const std::filesystem::path& proc,
                                        const std::set<Uuid>& vms);

/// Whether a process still says that it runs this VM.
bool isEmulatorOf(const std::filesystem::path& proc, pid_t process, const Uuid& vm);

}  // namespace virtseer::collect

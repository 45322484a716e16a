#pragma once

/// The first process of the probe appliance, whose only program this is.
namespace virtseer::agent {

/// Mounts, loads the modules of /lib/modules/order, brings devices up, and keeps an agent running
/// in a child that it starts again whenever it ends. Follows hot-plugged processors, memory, disks
/// and interfaces through the kernel's device events. Powers the guest off on SIGTERM and on its
/// power button, restarts it on ctrl-alt-del. To be called by process 1 alone; never returns.
///
/// Kernel arguments: `virtseer.ip=A.B.C.D/LEN` for the first Ethernet interface,
/// `virtseer.interval_ms=N` between echoes.
[[noreturn]] void runAsInit();

}  // namespace virtseer::agent

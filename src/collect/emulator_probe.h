#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "collect/stream_writer.h"
#include "virtseer/uuid.h"

namespace virtseer::collect {

/// One look at the emulators of VMs: their QEMU processes on this host.
struct EmulatorLook {
  /// Of VMs that are counted; see EmulatorProbe.
  std::map<Uuid, std::vector<NamedValue>> vms;
  std::vector<NamedValue> host;         ///< what counting costs
  std::map<Uuid, std::string> lacking;  ///< why others are not counted
  std::string failure;  ///< why nothing is; empty: something is, or nothing is to be
  std::string trouble;  ///< what all VMs lack, e.g. "block: needs Linux 5.12"
};

/// Has the kernel count what the processes of VMs do. Blocks, in its first look about a second; any
/// thread, one call after the other.
///
/// The series of a VM, all counters since it was looked at first:
/// - libvirt_domain_emulator_syscalls_total{class}: read, write, network, file, memory, process,
///   wait, other
/// - libvirt_domain_emulator_syscall_errors_total{errno}: the first 15 numbers seen on this host,
///   then `other`
/// - libvirt_domain_emulator_runqueue_waits_total{up_to_seconds},
///   libvirt_domain_emulator_runqueue_wait_seconds_total: of its threads, vCPUs among them
/// - libvirt_domain_emulator_block_requests_total{operation,up_to_seconds},
///   libvirt_domain_emulator_block_request_seconds_total{operation}: read, write; what its threads
///   ask of block devices themselves
/// Histograms are cumulative; bounds that nothing came near have no series.
///
/// The series of the host, by part (syscalls, sched, block):
/// - host_ebpf_cost_seconds_total, host_ebpf_duty_ratio, host_ebpf_dropped_total
class EmulatorProbe {
 public:
  virtual ~EmulatorProbe() = default;
  /// Counts these VMs from now on, and no others.
  virtual EmulatorLook look(const std::set<Uuid>& vms) = 0;
};

struct EmulatorProbeOptions {
  std::filesystem::path proc = "/proc";
  std::vector<std::string> avoided =
      {};  ///< programs to do without, as on kernels that refuse them
};

/// The real one: programs in the kernel. It loads them while there are VMs, and has a thread of its
/// own that looks after them.
std::unique_ptr<EmulatorProbe> kernelEmulatorProbe(EmulatorProbeOptions options = {});

}  // namespace virtseer::collect

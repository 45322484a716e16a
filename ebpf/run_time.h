#pragma once

namespace virtseer::ebpf {

/// Seconds of processor time that the programs which this process holds have run, on all
/// processors, as far as the kernel measured them (BPF_ENABLE_STATS).
double measuredProgramSeconds();

}  // namespace virtseer::ebpf

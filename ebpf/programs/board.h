// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// What the programs in the kernel and their owner share: keys and values of maps, and the boards
// that the owner maps into its memory. C as well as C++, with the kernel's integer types.
#ifndef VIRTSEER_EBPF_BOARD_H
#define VIRTSEER_EBPF_BOARD_H

#include <linux/types.h>

#ifdef __cplusplus
namespace virtseer::bpf {
#endif

/// Parts are loaded, paid for and paused each by itself.
enum part {
  PART_SYSCALLS,
  PART_SCHED,
  PART_BLOCK,
  PART_CONNECTIONS,
  PART_SERVICES,
  PART_LIBRARY,
  PARTS,
};

enum {
  NAME_BYTES = 16,         ///< of a process's name, as in the kernel
  BUCKETS = 26,            ///< of a histogram: up to 1 us, 2 us, ... 2^24 us, and longer
  MAX_ERRNO = 134,         ///< error numbers are below
  MAX_DEVICES = 16,        ///< block devices
  MAX_SERVICES = 33,       ///< listening ports whose requests are counted; 0 is none
  MAX_COUNTS = 4096,       ///< entries of a map that counts
  MAX_GROUPS = 512,        ///< groups of tasks that are counted each by itself
  CALL_CLASSES = 8,        ///< what system calls are for
  CLASSED_CALLS = 512,     ///< numbers of system calls whose class is known
  FOREIGN_CALL = 4095,     ///< stands for the number of a system call of another ABI
  TAKEN_AT_ONCE = 64,      ///< runs that a processor takes out of a gate
  REFUSALS_TOLD = 8192,    ///< the owner is woken again after so many of one processor
  TIMED_RUNS = 8,          ///< one of so many runs is timed
  LONGEST_RUN_NS = 20000,  ///< what took longer was interrupted, and is not a run's time
};

/// What a part may still do. The owner fills it up; the programs close it when it is empty.
struct gate {
  __s64 runs_left;
  __u64 closed_ns;  ///< when it was closed, on the monotonic clock; 0: it is open
  __u64 opened_ns;  ///< when it was opened last
  __u64 unused[5];
};

/// What one processor, which alone writes it, knows of one part: a line of its cache.
struct cpu_part {
  __s64 runs_left;
  __u64 runs;
  __u64 refused;   ///< runs that found the gate closed
  __u64 unlisted;  ///< events that found no room in a map
  __u64 timed;     ///< runs
  __u64 timed_ns;  ///< what these took together
  __u64 unused[2];
};

/// One of each processor.
struct cpu_board {
  struct cpu_part parts[8];
  __u64 wait_ns;
  __u64 waits[BUCKETS];  ///< for a processor
  __u64 unused[5];
};

/// Waiting and service time of one kind of request to a device.
struct io_times {
  __u64 sum_ns;
  __u64 buckets[BUCKETS];
};

struct device_board {
  __u64 number;  ///< major << 20 | first minor; 0: unused
  struct io_times reads;
  struct io_times writes;
};

struct service_board {
  __u64 port;  ///< 0: unused
  __u64 requests;
  __u64 request_bytes;
  __u64 response_bytes;
  __u64 responses[6];  ///< by class of the HTTP status, 1 to 5
  __u64 latency[BUCKETS];
  char process[NAME_BYTES];
};

struct board {
  struct gate gates[8];
  __u64 errors[MAX_ERRNO];
  struct device_board devices[MAX_DEVICES];
  struct service_board services[MAX_SERVICES];
  __u8 service_of_port[65536];
};

/// What the members of one group did.
struct group_board {
  __u64 calls[CALL_CLASSES];
  __u64 errors[MAX_ERRNO];
  __u64 wait_ns;
  __u64 waits[BUCKETS];  ///< for a processor
  struct io_times reads;
  struct io_times writes;
};

struct syscall_key {
  char process[NAME_BYTES];
  __u32 tgid;  ///< 0 unless single processes are watched
  __u32 number;
};

/// Both in one word, as they are added in one step.
enum { ERRORS_SHIFT = 32 };

enum direction { OUTWARD = 1, INWARD = 2, OUTWARD_FAILED = 3 };

struct connection_key {
  __u8 peer[16];  ///< an IPv4 address is its first four bytes
  char process[NAME_BYTES];
  __u16 port;  ///< of the service: remote when outward, local when inward
  __u8 ipv6;
  __u8 direction;
  __u32 tgid;
};

struct library_key {
  char process[NAME_BYTES];
  __u32 tgid;
  __u32 function;
};

#ifdef __cplusplus
}  // namespace virtseer::bpf
#endif

#endif

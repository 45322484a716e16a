// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// The way into every program and out of it: what a part may cost is dealt out as runs. A processor
// takes some of them at a time; when the gate is empty it closes, and whoever loaded the programs
// is woken.
#ifndef VIRTSEER_EBPF_GATE_H
#define VIRTSEER_EBPF_GATE_H

#include "kernel.h"
//
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "board.h"

struct board board;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);  // as many as there are processors, set before loading
  __type(key, __u32);
  __type(value, struct cpu_board);
} cpus SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} closings SEC(".maps");

static void wake_owner(__u32 part) {
  bpf_ringbuf_output(&closings, &part, sizeof part, BPF_RB_FORCE_WAKEUP);
}

static __attribute__((noinline)) void close_gate(struct gate* gate, __u32 part) {
  __u64 now = bpf_ktime_get_ns();
  if (__sync_val_compare_and_swap(&gate->closed_ns, 0, now) == 0) wake_owner(part);
}

static bool take_runs(struct cpu_part* own, __u32 part) {
  struct gate* gate = &board.gates[part];
  if (gate->closed_ns == 0) {
    if (__sync_fetch_and_sub(&gate->runs_left, TAKEN_AT_ONCE) > 0) {
      own->runs_left = TAKEN_AT_ONCE;
      return true;
    }
    close_gate(gate, part);
  }
  // A closed gate costs too: the owner is told again now and then how often it was come to.
  if ((++own->refused & (REFUSALS_TOLD - 1)) == 0) wake_owner(part);
  return false;
}

/// The processor's board, or null: the part has used up what it may.
static inline struct cpu_board* enter(__u32 part) {
  __u32 number = bpf_get_smp_processor_id();
  struct cpu_board* cpu = bpf_map_lookup_elem(&cpus, &number);
  if (!cpu) return NULL;
  struct cpu_part* own = &cpu->parts[part];
  if (own->runs_left <= 0 && !take_runs(own, part)) return NULL;
  own->runs_left--;
  own->runs++;
  return cpu;
}

/// The way out: now and then it tells what a run takes that began at `start`.
static inline int leave(struct cpu_board* cpu, __u32 part, __u64 start) {
  struct cpu_part* own = &cpu->parts[part];
  if ((own->runs & (TIMED_RUNS - 1)) != 0) return 0;
  __u64 took = bpf_ktime_get_ns() - start;
  if (took > LONGEST_RUN_NS) return 0;
  own->timed++;
  own->timed_ns += took;
  return 0;
}

/// The bucket of a time: the first whose bound, 2^bucket microseconds, is not below it.
static inline __u32 bucket_of(__u64 ns) {
  __u64 us = (ns + 999) / 1000;
  __u32 bucket = 0;
  if (us <= 1) return 0;
  if (us > 1 << 24) return BUCKETS - 1;
  us--;
  if (us >> 16) bucket += 16, us >>= 16;
  if (us >> 8) bucket += 8, us >>= 8;
  if (us >> 4) bucket += 4, us >>= 4;
  if (us >> 2) bucket += 2, us >>= 2;
  if (us >> 1) bucket += 1;
  return (bucket + 1) & 31;
}

enum { TS_COMPAT = 2 };

/// The number of the system call that a task returns from.
static inline __u32 call_number(struct task_struct* task, struct pt_regs* regs) {
  __u32 number = regs->orig_ax;
  if (number > FOREIGN_CALL || task->thread_info.status & TS_COMPAT) return FOREIGN_CALL;
  return number;
}

/// Numbers from 512 on ask the kernel itself to begin the call anew.
static inline bool has_failed(long result) {
  return result < 0 && result > -512;
}

static inline __u64 error_number(long result) {
  __u64 number = -result;
  return number >= MAX_ERRNO ? 0 : number;
}

/// How long a task waited for its processor that was queued then. The kernel notes when a task was
/// queued; it forgets that just after it switches to it, so no map of ours is needed. The clock of
/// its note is that of the processor's queue, which is reached through the task.
static inline __u64 waited_since(struct task_struct* next, __u64 queued) {
  __u64 now = next->se.cfs_rq->rq->clock;
  return now > queued ? now - queued : 0;
}

/// What is done to a block device.
enum { OPERATION = 0xff, READ = 0, WRITE = 1 };

static inline void add_time(struct io_times* times, __u64 ns) {
  __u32 bucket = bucket_of(ns);
  if (bucket >= BUCKETS) return;
  __sync_fetch_and_add(&times->buckets[bucket], 1);
  __sync_fetch_and_add(&times->sum_ns, ns);
}

#endif

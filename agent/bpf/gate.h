// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// The way into every program and out of it: what a part may cost is dealt out as runs. A processor
// takes some of them at a time; when the gate is empty it closes, and the agent is woken.
#ifndef VIRTSEER_AGENT_BPF_GATE_H
#define VIRTSEER_AGENT_BPF_GATE_H

#include "kernel.h"
//
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "board.h"

struct board board;

/// Set before loading: count processes of `watched` alone.
const volatile __u32 only_watched = 0;
/// Set before loading: this process is left out.
const volatile __u32 left_out = 0;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, __u8);
} watched SEC(".maps");

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

static void wake_agent(__u32 part) {
  bpf_ringbuf_output(&closings, &part, sizeof part, BPF_RB_FORCE_WAKEUP);
}

static __attribute__((noinline)) void close_gate(struct gate* gate, __u32 part) {
  __u64 now = bpf_ktime_get_ns();
  if (__sync_val_compare_and_swap(&gate->closed_ns, 0, now) == 0) wake_agent(part);
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
  // A closed gate costs too: the agent is told again now and then how often it was come to.
  if ((++own->refused & (REFUSALS_TOLD - 1)) == 0) wake_agent(part);
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

static inline bool is_watched(__u32 tgid) {
  if (only_watched) return bpf_map_lookup_elem(&watched, &tgid) != NULL;
  return tgid != left_out;
}

/// The name of a task's process, and its number where single processes are watched.
static inline void name_process(struct task_struct* task, char* name, __u32* tgid) {
  struct task_struct* leader = task->group_leader;
  ((__u64*)name)[0] = *(__u64*)&leader->comm[0];
  ((__u64*)name)[1] = *(__u64*)&leader->comm[8];
  *tgid = only_watched ? (__u32)task->tgid : 0;
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

/// Adds to an entry of a map that counts; false: there is no room for it.
static inline bool count_in(void* map, const void* key, __u64 what) {
  __u64* count = bpf_map_lookup_elem(map, key);
  if (!count) {
    if (bpf_map_update_elem(map, key, &what, BPF_NOEXIST) == 0) return true;
    count = bpf_map_lookup_elem(map, key);  // another processor was first
  }
  if (!count) return false;
  __sync_fetch_and_add(count, what);
  return true;
}

#endif

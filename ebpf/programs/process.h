// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Which processes of a machine are counted, and under which name.
#ifndef VIRTSEER_EBPF_PROCESS_H
#define VIRTSEER_EBPF_PROCESS_H

#include "gate.h"

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

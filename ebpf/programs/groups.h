// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Groups of processes, counted each by itself and nothing else. A process belongs to a group for as
// long as it lives: that is kept with its first thread, so no number of a process can be another's
// by now, and no namespace of processes matters.
#ifndef VIRTSEER_EBPF_GROUPS_H
#define VIRTSEER_EBPF_GROUPS_H

#include "gate.h"

/// Set before loading: the class of each system call, by its number; the last class is that of the
/// others.
const volatile __u8 class_of_call[CLASSED_CALLS] = {};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, __u32);
} members SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, MAX_GROUPS);
  __type(key, __u32);
  __type(value, struct group_board);
} groups SEC(".maps");

/// The number of a task's group, or null: it has none.
static inline __u32* group_of(struct task_struct* task) {
  return bpf_task_storage_get(&members, task->group_leader, NULL, 0);
}

static inline struct group_board* board_of(struct task_struct* task) {
  __u32* group = group_of(task);
  return group ? bpf_map_lookup_elem(&groups, group) : NULL;
}

#endif

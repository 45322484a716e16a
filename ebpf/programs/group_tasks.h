// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// System calls of groups, and how long their tasks waited for a processor.

static inline void count_group_call(struct pt_regs* regs, long result) {
  struct task_struct* task = bpf_get_current_task_btf();
  struct group_board* group = board_of(task);
  if (!group) return;
  __u32 number = call_number(task, regs);
  __u32 class = CALL_CLASSES - 1;
  if (number < CLASSED_CALLS) class = class_of_call[number];
  if (class < CALL_CLASSES) __sync_fetch_and_add(&group->calls[class], 1);
  if (!has_failed(result)) return;
  __u64 error = error_number(result);
  if (error < MAX_ERRNO) __sync_fetch_and_add(&group->errors[error], 1);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_syscall, struct pt_regs* regs, long result) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_SYSCALLS);
  if (!cpu) return 0;
  count_group_call(regs, result);
  return leave(cpu, PART_SYSCALLS, start);
}

static inline void count_group_wait(struct task_struct* next) {
  __u64 queued = next->sched_info.last_queued;
  if (queued == 0) return;
  struct group_board* group = board_of(next);
  if (!group) return;
  __u64 waited = waited_since(next, queued);
  __u32 bucket = bucket_of(waited);
  if (bucket >= BUCKETS) return;
  __sync_fetch_and_add(&group->waits[bucket], 1);
  __sync_fetch_and_add(&group->wait_ns, waited);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct* prev, struct task_struct* next) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_SCHED);
  if (!cpu) return 0;
  count_group_wait(next);
  return leave(cpu, PART_SCHED, start);
}

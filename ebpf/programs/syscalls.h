// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// System calls by process and number, counted as they return: that one place knows their result
// too.

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAX_COUNTS);
  __type(key, struct syscall_key);
  __type(value, __u64);
} syscalls SEC(".maps");

static inline void count_syscall(struct cpu_board* cpu, struct pt_regs* regs, long result) {
  struct task_struct* task = bpf_get_current_task_btf();
  if (!is_watched(task->tgid)) return;
  struct syscall_key key;
  name_process(task, key.process, &key.tgid);
  key.number = call_number(task, regs);
  __u64 what = 1;
  if (has_failed(result)) {
    what |= 1ull << ERRORS_SHIFT;
    __sync_fetch_and_add(&board.errors[error_number(result)], 1);
  }
  if (!count_in(&syscalls, &key, what)) cpu->parts[PART_SYSCALLS].unlisted++;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_syscall, struct pt_regs* regs, long result) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_SYSCALLS);
  if (!cpu) return 0;
  count_syscall(cpu, regs, result);
  return leave(cpu, PART_SYSCALLS, start);
}

// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Calls of functions of libraries and programs that the guest's administrator named.

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAX_COUNTS);
  __type(key, struct library_key);
  __type(value, __u64);
} library_calls SEC(".maps");

static inline void count_library_call(struct cpu_board* cpu, struct pt_regs* registers) {
  struct task_struct* task = bpf_get_current_task_btf();
  if (!is_watched(task->tgid)) return;
  struct library_key key = {};
  name_process(task, key.process, &key.tgid);
  key.function = bpf_get_attach_cookie(registers);
  if (!count_in(&library_calls, &key, 1)) cpu->parts[PART_LIBRARY].unlisted++;
}

SEC("uprobe")
int on_library_call(struct pt_regs* registers) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_LIBRARY);
  if (!cpu) return 0;
  count_library_call(cpu, registers);
  return leave(cpu, PART_LIBRARY, start);
}

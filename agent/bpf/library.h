// Calls of functions of libraries and programs that the guest's administrator named.

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAX_COUNTS);
  __type(key, struct library_key);
  __type(value, __u64);
} library_calls SEC(".maps");

SEC("uprobe")
int on_library_call(struct pt_regs* registers) {
  struct cpu_board* cpu = enter(PART_LIBRARY);
  if (!cpu) return 0;
  struct task_struct* task = bpf_get_current_task_btf();
  if (!is_watched(task->tgid)) return 0;
  struct library_key key = {};
  name_process(task, key.process, &key.tgid);
  key.function = bpf_get_attach_cookie(registers);
  if (!count_in(&library_calls, &key, 1)) cpu->unlisted[PART_LIBRARY]++;
  return 0;
}

// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// How long tasks that could run waited for a processor.

static inline void count_wait(struct cpu_board* cpu, struct task_struct* next) {
  __u64 queued = next->sched_info.last_queued;
  if (queued == 0 || !is_watched(next->tgid)) return;
  __u64 waited = waited_since(next, queued);
  __u32 bucket = bucket_of(waited);
  if (bucket >= BUCKETS) return;
  cpu->waits[bucket]++;
  cpu->wait_ns += waited;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct* prev, struct task_struct* next) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_SCHED);
  if (!cpu) return 0;
  count_wait(cpu, next);
  return leave(cpu, PART_SCHED, start);
}

// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// How long reads and writes of block devices took that a member of a group asked for itself, from
// the asking to the end. What the kernel writes later, from the page cache, is asked for by nobody.

struct asked_io {
  __u64 start_ns;
  __u32 group;
  __u32 is_read;
};

/// By the place of the request in memory. Of those whose end is not seen the oldest give way.
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, __u64);
  __type(value, struct asked_io);
} asked SEC(".maps");

static inline void begin_io(struct cpu_board* cpu, struct bio* bio) {
  struct task_struct* task = bpf_get_current_task_btf();
  __u32* group = group_of(task);
  // A request that a device makes of another one, to pass it on, is that one's second way.
  if (!group || task->bio_list) return;
  __u32 operation = bio->bi_opf & OPERATION;
  if (operation > WRITE || bio->bi_iter.bi_size == 0) return;
  __u64 id = (__u64)bio;
  struct asked_io made = {
      .start_ns = bpf_ktime_get_ns(), .group = *group, .is_read = operation == READ};
  if (bpf_map_update_elem(&asked, &id, &made, BPF_ANY) != 0) cpu->parts[PART_BLOCK].unlisted++;
}

static inline void end_io(struct bio* bio) {
  __u64 id = (__u64)bio;
  struct asked_io* found = bpf_map_lookup_elem(&asked, &id);
  if (!found) return;
  struct asked_io made = *found;
  bpf_map_delete_elem(&asked, &id);
  // Of one from before the gate was opened it is not known whether its place is another's by now.
  if (made.start_ns < board.gates[PART_BLOCK].opened_ns) return;
  struct group_board* group = bpf_map_lookup_elem(&groups, &made.group);
  if (!group) return;
  __u64 now = bpf_ktime_get_ns();
  add_time(made.is_read ? &group->reads : &group->writes,
           now > made.start_ns ? now - made.start_ns : 0);
}

SEC("tp_btf/block_bio_queue")
int BPF_PROG(on_io_begin, struct bio* bio) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_BLOCK);
  if (!cpu) return 0;
  begin_io(cpu, bio);
  return leave(cpu, PART_BLOCK, start);
}

SEC("tp_btf/block_bio_complete")
int BPF_PROG(on_io_end, struct request_queue* queue, struct bio* bio) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_BLOCK);
  if (!cpu) return 0;
  end_io(bio);
  return leave(cpu, PART_BLOCK, start);
}

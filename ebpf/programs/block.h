// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// How long requests to block devices took, from where the kernel made them to their end.

static inline struct device_board* device_of(__u64 number) {
  for (int i = 0; i < MAX_DEVICES; i++) {
    struct device_board* device = &board.devices[i];
    if (device->number == 0) __sync_val_compare_and_swap(&device->number, 0, number);
    if (device->number == number) return device;
  }
  return NULL;
}

static inline void count_request(struct cpu_board* cpu, struct request* request,
                                 unsigned int bytes) {
  __u32 operation = request->cmd_flags & OPERATION;
  __u64 start = request->start_time_ns;
  if (operation > WRITE || start == 0 || bytes < request->__data_len) return;
  // A flush that carries nothing, or the end of one whose bytes were written before.
  if (bytes == 0) return;
  struct gendisk* disk = request->q->disk;
  __u64 number = (__u64)disk->major << 20 | (__u32)disk->first_minor;
  struct device_board* device = number ? device_of(number) : NULL;
  if (!device) {
    cpu->parts[PART_BLOCK].unlisted++;
    return;
  }
  __u64 now = bpf_ktime_get_ns();
  add_time(operation == READ ? &device->reads : &device->writes, now > start ? now - start : 0);
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(on_block_end, struct request* request, int error, unsigned int bytes) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_BLOCK);
  if (!cpu) return 0;
  count_request(cpu, request, bytes);
  return leave(cpu, PART_BLOCK, start);
}

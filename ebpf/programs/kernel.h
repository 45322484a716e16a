// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// The few fields of the kernel's structures that the programs read. Where they lie is found out
// when the programs are loaded (CO-RE), from the running kernel's BTF. What comes after three
// underscores tells variants of one structure apart.
#ifndef VIRTSEER_EBPF_KERNEL_H
#define VIRTSEER_EBPF_KERNEL_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
  unsigned long orig_ax;
};

struct thread_info {
  __u32 status;
};

struct sched_info {
  unsigned long long last_queued;
};

struct rq {
  __u64 clock;
};

struct cfs_rq {
  struct rq* rq;
};

struct sched_entity {
  struct cfs_rq* cfs_rq;
};

struct bio_list;

struct task_struct {
  struct thread_info thread_info;
  int tgid;
  struct task_struct* group_leader;
  char comm[16];
  struct sched_entity se;
  struct sched_info sched_info;
  struct bio_list* bio_list;
};

struct bvec_iter {
  unsigned int bi_size;
};

struct bio {
  __u32 bi_opf;
  struct bvec_iter bi_iter;
};

struct gendisk {
  int major;
  int first_minor;
};

struct request_queue {
  struct gendisk* disk;
};

struct request {
  struct request_queue* q;
  unsigned int cmd_flags;
  unsigned int __data_len;
  __u64 start_time_ns;
};

struct in6_addr {
  union {
    __u32 u6_addr32[4];
  } in6_u;
};

struct sock_common {
  __u32 skc_daddr;
  __u32 skc_portpair;
  __u16 skc_dport;
  __u16 skc_num;
  unsigned short skc_family;
  struct in6_addr skc_v6_daddr;
};

struct sock {
  struct sock_common __sk_common;
  __u16 sk_protocol;
};

struct iovec {
  void* iov_base;
  unsigned long iov_len;
};

/// The names that Linux 6.1 and later have; the numbers come from the running kernel.
enum iter_type { ITER_UBUF = 100, ITER_IOVEC = 101 };

struct iov_iter {
  __u8 iter_type;
  const struct iovec* __iov;
  void* ubuf;
};

/// Up to Linux 6.3.
struct iov_iter___old {
  const struct iovec* iov;
};

struct msghdr {
  struct iov_iter msg_iter;
};

#pragma clang attribute pop

#endif

// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Requests to listening services, as turns of a TCP connection: the first bytes received after an
// answer begin a request, the first bytes sent after that are its answer. Of what is sent no more
// is looked at than the first twelve bytes of an answer, and no more kept than the class of its
// status.

enum { PEEK = 2 };

struct turn {
  __u64 asked_ns;  ///< when the request began that waits for its answer; 0: none does
  __u32 ports;     ///< tells a new connection in the same place of memory
  __u32 unused;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, __u64);
  __type(value, struct turn);
} turns SEC(".maps");

static inline struct service_board* service_of(const struct sock* sock) {
  __u32 slot = board.service_of_port[sock->__sk_common.skc_num];
  if (slot == 0 || slot >= MAX_SERVICES) return NULL;
  return &board.services[slot];
}

/// Where the bytes lie that a process sends; null where it is not in its memory.
static inline const void* sent_bytes(const struct msghdr* message) {
  __u32 type = message->msg_iter.iter_type;
  if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
      type == bpf_core_enum_value(enum iter_type, ITER_UBUF))
    return message->msg_iter.ubuf;
  if (type != bpf_core_enum_value(enum iter_type, ITER_IOVEC)) return NULL;
  const struct iovec* first;
  if (bpf_core_field_exists(message->msg_iter.__iov)) {
    first = message->msg_iter.__iov;
  } else {
    struct iov_iter___old* old = (void*)&message->msg_iter;
    first = BPF_CORE_READ(old, iov);
  }
  return BPF_CORE_READ(first, iov_base);
}

/// 1 to 5 for "HTTP/1.x 100" to 599, else 0.
static inline __u32 status_class(const struct msghdr* message) {
  char head[12] = {};
  const void* bytes = sent_bytes(message);
  if (!bytes || bpf_probe_read_user(head, sizeof head, bytes) != 0) return 0;
  if (head[0] != 'H' || head[1] != 'T' || head[2] != 'T' || head[3] != 'P' || head[4] != '/' ||
      head[5] != '1' || head[6] != '.' || head[8] != ' ')
    return 0;
  __u32 class = (__u32)head[9] - '0';
  return class <= 5 ? class : 0;
}

/// Whether a request waits for its answer. Of one from before the gate was opened it is not known
/// whether it was answered meanwhile.
static inline bool is_asked(const struct turn* turn) {
  return turn->asked_ns != 0 && turn->asked_ns >= board.gates[PART_SERVICES].opened_ns;
}

static inline void asked(const struct sock* sock, struct service_board* service, __u64 bytes) {
  __u64 id = (__u64)sock;
  __u32 ports = sock->__sk_common.skc_portpair;
  __sync_fetch_and_add(&service->request_bytes, bytes);
  struct turn* turn = bpf_map_lookup_elem(&turns, &id);
  if (turn && turn->ports == ports) {
    if (!is_asked(turn)) turn->asked_ns = bpf_ktime_get_ns();
    return;
  }
  struct turn made = {.asked_ns = bpf_ktime_get_ns(), .ports = ports};
  bpf_map_update_elem(&turns, &id, &made, BPF_ANY);
}

static inline void answered(struct service_board* service, struct turn* turn,
                            const struct msghdr* message) {
  __u64 now = bpf_ktime_get_ns();
  __u32 bucket = bucket_of(now > turn->asked_ns ? now - turn->asked_ns : 0);
  __u32 class = message ? status_class(message) : 0;
  turn->asked_ns = 0;
  __sync_fetch_and_add(&service->requests, 1);
  if (bucket < BUCKETS) __sync_fetch_and_add(&service->latency[bucket], 1);
  if (class > 0 && class < 6) __sync_fetch_and_add(&service->responses[class], 1);
  __u32 tgid;
  name_process(bpf_get_current_task_btf(), service->process, &tgid);
}

static inline void on_bytes_in(const struct sock* sock, int bytes) {
  struct service_board* service = service_of(sock);
  if (service && bytes > 0 && is_watched(bpf_get_current_pid_tgid() >> 32))
    asked(sock, service, bytes);
}

static inline void count_sent(const struct sock* sock, __u64 bytes) {
  struct service_board* service = service_of(sock);
  if (service && is_watched(bpf_get_current_pid_tgid() >> 32))
    __sync_fetch_and_add(&service->response_bytes, bytes);
}

/// `message` null: it cannot be looked at. What is sent of it is counted elsewhere.
static inline void on_bytes_out(const struct sock* sock, const struct msghdr* message) {
  struct service_board* service = service_of(sock);
  if (!service || !is_watched(bpf_get_current_pid_tgid() >> 32)) return;
  __u64 id = (__u64)sock;
  struct turn* turn = bpf_map_lookup_elem(&turns, &id);
  if (turn && turn->ports == sock->__sk_common.skc_portpair && is_asked(turn))
    answered(service, turn, message);
}

static inline bool is_tcp(const struct sock* sock) {
  __u16 family = sock->__sk_common.skc_family;
  return (family == AF_INET || family == AF_INET6) && sock->sk_protocol == PROTOCOL_TCP;
}

// Linux 6.3 and later have tracepoints for both directions, 6.16 and later one that sees the bytes.

SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_recv_length, struct sock* sock, int result, int flags) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_SERVICES);
  if (!cpu) return 0;
  if (is_tcp(sock) && !(flags & PEEK)) on_bytes_in(sock, result);
  return leave(cpu, PART_SERVICES, start);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send_length, struct sock* sock, int result, int flags) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_SERVICES);
  if (!cpu) return 0;
  if (is_tcp(sock) && result > 0) {
    count_sent(sock, result);
    on_bytes_out(sock, NULL);
  }
  return leave(cpu, PART_SERVICES, start);
}

SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(on_send_head, const struct sock* sock, const struct msghdr* message) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_SERVICES);
  if (!cpu) return 0;
  on_bytes_out(sock, message);
  return leave(cpu, PART_SERVICES, start);
}

// Before that, functions of the kernel are watched. Bytes that are sent from files (sendfile) are
// not seen there before Linux 6.5.

SEC("fexit/tcp_recvmsg")
int BPF_PROG(on_received, struct sock* sock) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_SERVICES);
  if (!cpu) return 0;
  __u64 result = 0, flags = 0;
  bool peeked =
      bpf_get_func_arg_cnt(ctx) == 5 && bpf_get_func_arg(ctx, 3, &flags) == 0 && flags & PEEK;
  if (!peeked && bpf_get_func_ret(ctx, &result) == 0) on_bytes_in(sock, (int)result);
  return leave(cpu, PART_SERVICES, start);
}

SEC("fentry/tcp_sendmsg")
int BPF_PROG(on_send, struct sock* sock, struct msghdr* message, size_t size) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_SERVICES);
  if (!cpu) return 0;
  if (size > 0) on_bytes_out(sock, message);
  return leave(cpu, PART_SERVICES, start);
}

// A socket that does not block may take less than it is offered, again and again.
SEC("fexit/tcp_sendmsg")
int BPF_PROG(on_sent, struct sock* sock, struct msghdr* message, size_t size, int result) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_SERVICES);
  if (!cpu) return 0;
  if (result > 0) count_sent(sock, result);
  return leave(cpu, PART_SERVICES, start);
}

// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// New TCP connections by peer, and by process where one of this machine's makes them.

enum { AF_INET = 2, AF_INET6 = 10, PROTOCOL_TCP = 6 };
enum { STATE_ESTABLISHED = 1, STATE_SYN_SENT = 2, STATE_SYN_RECV = 3, STATE_CLOSE = 7 };

struct owner {
  char process[NAME_BYTES];
  __u32 tgid;
  __u32 is_left_out;  ///< its connections are not counted
};

/// Who asked for a connection: its answer comes in nobody's name.
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024);
  __type(key, __u64);
  __type(value, struct owner);
} connecting SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAX_COUNTS);
  __type(key, struct connection_key);
  __type(value, __u64);
} connections SEC(".maps");

static inline void remember_owner(__u64 id) {
  struct task_struct* task = bpf_get_current_task_btf();
  struct owner owner = {};
  owner.is_left_out = !is_watched(task->tgid);
  name_process(task, owner.process, &owner.tgid);
  bpf_map_update_elem(&connecting, &id, &owner, BPF_ANY);
}

/// False: the connection is not to be counted. That of an owner who asked while nothing was watched
/// is counted in nobody's name.
static inline bool take_owner(__u64 id, struct connection_key* key) {
  struct owner* owner = bpf_map_lookup_elem(&connecting, &id);
  if (!owner) return !only_watched;
  bool is_left_out = owner->is_left_out;
  __builtin_memcpy(key->process, owner->process, NAME_BYTES);
  key->tgid = owner->tgid;
  bpf_map_delete_elem(&connecting, &id);
  return !is_left_out;
}

static inline bool is_mapped_ipv4(const __u32* address) {
  return address[0] == 0 && address[1] == 0 && address[2] == __builtin_bswap32(0xffff);
}

static inline void note_peer(const struct sock* sock, struct connection_key* key) {
  __u32* peer = (__u32*)key->peer;
  if (sock->__sk_common.skc_family == AF_INET) {
    peer[0] = sock->__sk_common.skc_daddr;
    return;
  }
  for (int i = 0; i < 4; i++) peer[i] = sock->__sk_common.skc_v6_daddr.in6_u.u6_addr32[i];
  key->ipv6 = !is_mapped_ipv4(peer);
  if (key->ipv6) return;
  peer[0] = peer[3];
  peer[1] = peer[2] = peer[3] = 0;
}

/// A port that takes connections is a service's. Where two processors see its first ones at once it
/// may get a second place, which nothing is counted in. The agent frees those that are not used.
static inline void note_service(__u16 port) {
  if (port == 0 || board.service_of_port[port] != 0) return;
  for (__u32 slot = 1; slot < MAX_SERVICES; slot++) {
    __u64* owner = &board.services[slot].port;
    if (*owner != 0 || __sync_val_compare_and_swap(owner, 0, (__u64)port) != 0) continue;
    board.service_of_port[port] = slot;
    return;
  }
}

static inline void count_connection(struct cpu_board* cpu, const struct sock* sock, int from,
                                    int to) {
  if (sock->sk_protocol != PROTOCOL_TCP) return;
  __u64 id = (__u64)sock;
  struct connection_key key = {};
  if (to == STATE_SYN_SENT) {
    remember_owner(id);
    return;
  }
  if (from == STATE_SYN_SENT && (to == STATE_ESTABLISHED || to == STATE_CLOSE)) {
    if (!take_owner(id, &key)) return;
    key.direction = to == STATE_CLOSE ? OUTWARD_FAILED : OUTWARD;
    key.port = __builtin_bswap16(sock->__sk_common.skc_dport);
  } else if (from == STATE_SYN_RECV && to == STATE_ESTABLISHED && !only_watched) {
    key.direction = INWARD;
    key.port = sock->__sk_common.skc_num;
    note_service(key.port);
  } else {
    return;
  }
  note_peer(sock, &key);
  if (!count_in(&connections, &key, 1)) cpu->parts[PART_CONNECTIONS].unlisted++;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_tcp_state, const struct sock* sock, const int from, const int to) {
  __u64 start = bpf_ktime_get_ns();
  struct cpu_board* cpu = enter(PART_CONNECTIONS);
  if (!cpu) return 0;
  count_connection(cpu, sock, from, to);
  return leave(cpu, PART_CONNECTIONS, start);
}

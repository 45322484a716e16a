// The child's side of the Loader: the only file that sees the skeleton of what watches a whole
// machine.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ebpf/loading.h"

using virtseer::bpf::board;  // as the skeleton calls it

#include <watch.skel.h>

namespace virtseer::ebpf {
namespace {

/// All programs that watch a machine.
struct WatchObject {
  using Skeleton = watch_bpf;
  static constexpr Way kWays[] = {
      {bpf::PART_SYSCALLS, {"on_syscall"}},
      {bpf::PART_SCHED, {"on_switch"}},
      {bpf::PART_BLOCK, {"on_block_end"}},
      {bpf::PART_CONNECTIONS, {"on_tcp_state"}},
      {bpf::PART_SERVICES, {"on_recv_length", "on_send_length", "on_send_head"}},
      {bpf::PART_SERVICES, {"on_received", "on_send", "on_sent"}, nullptr, true},
      {bpf::PART_SERVICES, {"on_recv_length", "on_send_length"}, "no answers' states"},
      {bpf::PART_LIBRARY, {"on_library_call"}},
  };

  std::uint32_t left_out;

  static Skeleton* open() { return watch_bpf__open(); }
  static int load(Skeleton* skeleton) { return watch_bpf__load(skeleton); }
  static void destroy(Skeleton* skeleton) { watch_bpf__destroy(skeleton); }
  void prepare(Skeleton& skeleton) const { skeleton.rodata->left_out = left_out; }
  static std::array<const bpf_map*, kMaps> maps(const Skeleton& skeleton) {
    return {skeleton.maps.bss,      skeleton.maps.cpus,        skeleton.maps.closings,
            skeleton.maps.syscalls, skeleton.maps.connections, skeleton.maps.library_calls};
  }
};

/// Sends messages to the process that is to have the programs.
void send(int socket, Message message, int fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec bytes{&message, sizeof message};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  if (fd >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* beside = CMSG_FIRSTHDR(&header);
    beside->cmsg_level = SOL_SOCKET;
    beside->cmsg_type = SCM_RIGHTS;
    beside->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(beside), &fd, sizeof fd);
  }
  while (::sendmsg(socket, &header, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

void tellFunctions(const Teller& teller, const std::vector<Uprobe>& uprobes) {
  for (std::uint32_t i = 0; i < uprobes.size(); ++i) {
    std::string reason;
    const std::uint64_t offset = functionOffset(uprobes[i].path, uprobes[i].symbol, reason);
    if (offset != 0)
      teller.say(Message::function, "", bpf::PART_LIBRARY, i, offset);
    else
      teller.say(Message::trouble, (uprobes[i].name + ": " + reason).c_str(), bpf::PART_LIBRARY);
  }
}

}  // namespace

void load(int socket, const std::vector<Uprobe>& uprobes, const std::vector<std::string>& avoided,
          std::uint32_t left_out) {
  const Teller teller([&](const Message& message, int fd) { send(socket, message, fd); });
  const auto skeleton =
      loadObject(WatchObject{left_out}, teller, avoided, /*library=*/!uprobes.empty());
  if (!skeleton) return;
  tellFunctions(teller, uprobes);
  teller.say(Message::done, "");
  ::_exit(0);  // what the receiver now holds need not be taken apart here
}

}  // namespace virtseer::ebpf

#include "ebpf/loaded.h"

#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "ebpf/child.h"

namespace virtseer::ebpf {
namespace {

constexpr std::int64_t kLongestMs = 120'000;
constexpr int kMessagesPerTurn = 64;

bool has(const __user_cap_data_struct* rights, unsigned right) {
  return (rights[right / 32].effective >> right % 32 & 1) != 0;
}

/// One message and the descriptor that came with it. Gives what recvmsg gave.
ssize_t receiveOne(int socket, Message& message, Descriptor& fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec part{&message, sizeof message};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size <= 0) return size;
  const cmsghdr* beside = CMSG_FIRSTHDR(&header);
  if (beside == nullptr || beside->cmsg_type != SCM_RIGHTS) return size;
  int number = -1;
  std::memcpy(&number, CMSG_DATA(beside), sizeof number);
  fd = Descriptor(number);
  return size;
}

}  // namespace

std::string missingRights() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct rights[2]{};
  if (::syscall(SYS_capget, &header, rights) != 0) return {};
  if (has(rights, CAP_SYS_ADMIN)) return {};
  if (!has(rights, CAP_BPF)) return "not permitted: CAP_BPF is missing";
  if (!has(rights, CAP_PERFMON)) return "not permitted: CAP_PERFMON is missing";
  return {};
}

std::string missingKernel(bpf::part of, const char* release) {
  // All need atomic operations that give what was there before (5.12). Then: request_queue.disk
  // (5.15), arguments and results of the kernel's functions by number (5.17), cookies of links
  // (5.15).
  constexpr std::array<unsigned, bpf::PARTS> kMinor{12, 12, 15, 12, 17, 15};
  constexpr unsigned kMajor = 5;
  unsigned major = 0, minor = 0;
  if (std::sscanf(release, "%u.%u", &major, &minor) != 2) return {};
  if (major > kMajor || (major == kMajor && minor >= kMinor[of])) return {};
  return "needs Linux " + std::to_string(kMajor) + "." + std::to_string(kMinor[of]);
}

std::string Loader::start(const std::vector<Uprobe>& uprobes,
                          const std::vector<std::string>& avoided, std::int64_t now_ms) {
  stop();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errorText(errno);
  socket_ = Descriptor(ends[0]);
  const Descriptor other(ends[1]);
  const auto self = static_cast<std::uint32_t>(::getpid());
  child_ = forkChild([&] { load(other.get(), uprobes, avoided, self); }, other.get());
  if (child_ < 0) {
    socket_.reset();
    return "the loader cannot be started: " + errorText(errno);
  }
  started_ms_ = now_ms;
  loaded_ = {};
  return {};
}

void Loader::stop() {
  if (!socket_) return;
  socket_.reset();
  endChild(std::exchange(child_, 0));
}

bool Loader::receive(std::int64_t now_ms) {
  for (int i = 0; socket_ && i < kMessagesPerTurn; ++i) {
    Message message;
    Descriptor fd;
    const ssize_t size = receiveOne(socket_.get(), message, fd);
    if (size == sizeof message) {
      message.text[sizeof message.text - 1] = 0;
      if (note(loaded_, message, std::move(fd))) finish(std::exchange(loaded_.failure, {}));
    } else if (size < 0 && errno == EAGAIN) {
      break;
    } else {
      finish("the loader ended before it was done");
    }
  }
  if (socket_ && now_ms - started_ms_ > kLongestMs) finish("the loader took too long");
  return !socket_;
}

bool note(Loaded& loaded, const Message& message, Descriptor fd) {
  const auto part = static_cast<bpf::part>(message.part < bpf::PARTS ? message.part : 0);
  switch (message.kind) {
    case Message::program:
      if (fd) loaded.programs.push_back({part, message.number != 0, std::move(fd)});
      break;
    case Message::map:
      if (message.index < kMaps) loaded.maps[message.index] = std::move(fd);
      break;
    case Message::function:
      loaded.functions.push_back({message.index, message.number});
      break;
    case Message::trouble: {
      std::string& trouble = loaded.troubles[part];
      trouble += (trouble.empty() ? "" : ", ") + std::string(message.text);
      break;
    }
    case Message::cost:
      loaded.syscall_ns = static_cast<double>(message.number);
      break;
    case Message::failure:
      loaded.failure = message.text;
      return true;
    case Message::done:
      return true;
  }
  return false;
}

/// The child ends by itself where it was done; it is reaped by whoever waits for all children.
void Loader::finish(std::string failure) {
  socket_.reset();
  if (!failure.empty()) endChild(child_);
  child_ = 0;
  loaded_.failure = std::move(failure);
}

Loaded Loader::take() {
  return std::exchange(loaded_, {});
}

}  // namespace virtseer::ebpf

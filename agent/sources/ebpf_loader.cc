// The loader's side: the only file that sees libbpf's object and the programs' skeleton.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <span>

#include "agent/sources/ebpf_loaded.h"

using virtseer::agent::bpf::board;  // as the skeleton calls it

#include <watch.skel.h>

namespace virtseer::agent::ebpf {
namespace {

using bpf::part;

/// Ways to do one part's work, the best first; where the kernel refuses one, the next is tried.
struct Way {
  part of;
  std::array<const char*, 3> programs;  ///< null where there are fewer
  const char* lack = nullptr;           ///< what this way cannot tell
  bool slow = false;                    ///< detaching waits for all processors
};

constexpr Way kWays[] = {
    {bpf::PART_SYSCALLS, {"on_syscall"}},
    {bpf::PART_SCHED, {"on_switch"}},
    {bpf::PART_BLOCK, {"on_block_end"}},
    {bpf::PART_CONNECTIONS, {"on_tcp_state"}},
    {bpf::PART_SERVICES, {"on_recv_length", "on_send_length", "on_send_head"}},
    {bpf::PART_SERVICES, {"on_received", "on_send", "on_sent"}, nullptr, true},
    {bpf::PART_SERVICES, {"on_recv_length", "on_send_length"}, "no answers' states"},
    {bpf::PART_LIBRARY, {"on_library_call"}},
};

/// What libbpf complained about first, since it was last cleared.
struct Complaint {
  char program[64];
  char text[200];
} complaint;

int listen(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN || complaint.program[0] != 0) return 0;
  char line[512];
  std::vsnprintf(line, sizeof line, format, arguments);
  char* text = line;
  if (std::strncmp(text, "libbpf: ", 8) == 0) text += 8;
  text[std::strcspn(text, "\n")] = 0;
  if (std::strncmp(text, "prog '", 6) == 0) {
    text += 6;
    const std::size_t name = std::strcspn(text, "'");
    std::snprintf(complaint.program, sizeof complaint.program, "%.*s", static_cast<int>(name),
                  text);
    text += std::min(name + 3, std::strlen(text));
  } else if (complaint.text[0] != 0) {
    return 0;
  }
  std::snprintf(complaint.text, sizeof complaint.text, "%s", text);
  return 0;
}

/// Sends messages to the agent.
class Teller {
 public:
  explicit Teller(int socket) : socket_(socket) {}

  void say(Message::Kind kind, const char* text, part of = {}, std::uint32_t index = 0,
           std::uint64_t number = 0, int fd = -1) const {
    Message message{kind, static_cast<std::uint8_t>(of), index, number, {}};
    std::snprintf(message.text, sizeof message.text, "%s", text);
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
    while (::sendmsg(socket_, &header, MSG_NOSIGNAL) < 0 && errno == EINTR) {
    }
  }

 private:
  int socket_;
};

using Skeleton = std::unique_ptr<watch_bpf, void (*)(watch_bpf*)>;

/// Which way each part goes.
class Plan {
 public:
  explicit Plan(bool library) {
    way_[bpf::PART_LIBRARY] = library ? next(bpf::PART_LIBRARY, 0) : -1;
    for (int of = 0; of < bpf::PART_LIBRARY; ++of) way_[of] = next(of, 0);
  }

  const Way* way(int of) const { return way_[of] < 0 ? nullptr : &kWays[way_[of]]; }

  bool has(const char* program) const { return partOf(program) >= 0; }
  /// The part that goes by this program, or -1.
  int partOf(const char* program) const {
    for (int of = 0; of < bpf::PARTS; ++of)
      if (way_[of] >= 0 && contains(kWays[way_[of]], program)) return of;
    return -1;
  }
  /// Goes another way than by this program. False: it is not among them.
  bool avoid(const char* program) {
    const int of = partOf(program);
    if (of < 0) return false;
    std::snprintf(reason_[of], sizeof reason_[of], "%s", complaint.text);
    do {
      way_[of] = next(of, static_cast<std::size_t>(way_[of]) + 1);
    } while (way_[of] >= 0 && contains(kWays[way_[of]], program));
    return true;
  }
  const char* reason(int of) const { return reason_[of]; }

 private:
  static bool contains(const Way& way, const char* program) {
    return std::any_of(way.programs.begin(), way.programs.end(), [&](const char* name) {
      return name != nullptr && std::strcmp(name, program) == 0;
    });
  }
  static int next(int of, std::size_t from) {
    for (std::size_t i = from; i < std::size(kWays); ++i)
      if (kWays[i].of == of) return static_cast<int>(i);
    return -1;
  }

  int way_[bpf::PARTS] = {};
  char reason_[bpf::PARTS][200] = {};
};

/// Opens and loads what the plan wants, changing the plan where the kernel refuses. Null: nothing
/// can be loaded, the complaint says why.
Skeleton loadPlan(Plan& plan, std::uint32_t left_out) {
  for (std::size_t attempt = 0; attempt <= std::size(kWays); ++attempt) {
    complaint = {};
    Skeleton skeleton(watch_bpf__open(), watch_bpf__destroy);
    if (!skeleton) break;
    bpf_program* program = nullptr;
    while ((program = bpf_object__next_program(skeleton->obj, program)) != nullptr)
      bpf_program__set_autoload(program, plan.has(bpf_program__name(program)));
    bpf_map__set_max_entries(skeleton->maps.cpus,
                             static_cast<std::uint32_t>(std::max(libbpf_num_possible_cpus(), 1)));
    skeleton->rodata->left_out = left_out;
    if (watch_bpf__load(skeleton.get()) == 0) return skeleton;
    if (!plan.avoid(complaint.program)) break;
  }
  return {nullptr, watch_bpf__destroy};
}

std::int64_t nowNs() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

/// Nanoseconds of the shortest system call: the best of some batches.
double shortestCallNs() {
  constexpr int kBatches = 12, kCalls = 400;
  std::int64_t best = INT64_MAX;
  for (int batch = 0; batch < kBatches; ++batch) {
    const std::int64_t start = nowNs();
    for (int i = 0; i < kCalls; ++i) ::syscall(SYS_getppid);
    best = std::min(best, nowNs() - start);
  }
  return static_cast<double>(best) / kCalls;
}

/// What counting adds to a system call. 0 where it cannot be measured.
double measureCost(const watch_bpf& skeleton) {
  bpf::gate& gate = skeleton.bss->board.gates[bpf::PART_SYSCALLS];
  const double without = shortestCallNs();
  gate.runs_left = 1'000'000;
  const int link = bpf_raw_tracepoint_open(nullptr, bpf_program__fd(skeleton.progs.on_syscall));
  const double with = link < 0 ? without : shortestCallNs();
  if (link >= 0) ::close(link);
  gate.runs_left = 0;
  return std::max(with - without, 0.0);
}

/// Why a part cannot be loaded: what libbpf complained about, and what that comes from.
std::string reasonOf(part of, const char* complained) {
  utsname kernel{};
  ::uname(&kernel);
  const std::string needed = missingKernel(of, kernel.release);
  const std::string reason = complained[0] != 0 ? complained : "cannot be loaded";
  return needed.empty() ? reason : needed + " (" + reason + ")";
}

void tellPart(const Teller& teller, const watch_bpf& skeleton, const Plan& plan, part of) {
  const Way* way = plan.way(of);
  if (way == nullptr) {
    teller.say(Message::trouble, reasonOf(of, plan.reason(of)).c_str(), of);
    return;
  }
  for (const char* name : way->programs) {
    if (name == nullptr) continue;
    const bpf_program* program = bpf_object__find_program_by_name(skeleton.obj, name);
    if (program != nullptr)
      teller.say(Message::program, name, of, 0, way->slow, bpf_program__fd(program));
  }
  if (way->lack != nullptr) teller.say(Message::trouble, way->lack, of);
}

void tellMaps(const Teller& teller, const watch_bpf& skeleton) {
  const bpf_map* maps[kMaps] = {skeleton.maps.bss,         skeleton.maps.cpus,
                                skeleton.maps.closings,    skeleton.maps.syscalls,
                                skeleton.maps.connections, skeleton.maps.library_calls};
  for (std::uint32_t i = 0; i < kMaps; ++i)
    teller.say(Message::map, "", {}, i, 0, bpf_map__fd(maps[i]));
}

void tellFunctions(const Teller& teller, const std::vector<Config::Uprobe>& uprobes) {
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

void load(int socket, const std::vector<Config::Uprobe>& uprobes,
          const std::vector<std::string>& avoided, std::uint32_t left_out) {
  const Teller teller(socket);
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    teller.say(Message::failure, "the kernel has no BTF (/sys/kernel/btf/vmlinux)");
    return;
  }
  libbpf_set_print(listen);
  Plan plan(!uprobes.empty());
  for (const std::string& program : avoided) plan.avoid(program.c_str());
  const Skeleton skeleton = loadPlan(plan, left_out);
  if (!skeleton) {
    teller.say(Message::failure, reasonOf(bpf::PART_SYSCALLS, complaint.text).c_str());
    return;
  }
  tellMaps(teller, *skeleton);
  for (int of = 0; of < bpf::PARTS; ++of)
    if (of != bpf::PART_LIBRARY || !uprobes.empty())
      tellPart(teller, *skeleton, plan, static_cast<part>(of));
  tellFunctions(teller, uprobes);
  if (plan.way(bpf::PART_SYSCALLS) != nullptr)
    teller.say(Message::cost, "", {}, 0, static_cast<std::uint64_t>(measureCost(*skeleton)));
  teller.say(Message::done, "");
  ::_exit(0);  // what the agent now holds need not be taken apart here
}

}  // namespace virtseer::agent::ebpf

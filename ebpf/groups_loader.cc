// Loads the programs that count groups: the only file that sees their skeleton.
#include <fcntl.h>
#include <malloc.h>

#include "ebpf/groups.h"
#include "ebpf/loading.h"
#include "ebpf/syscall_names.h"

using virtseer::bpf::board;  // as the skeleton calls it

#include <groups.skel.h>

namespace virtseer::ebpf {
namespace {

struct GroupsObject {
  using Skeleton = groups_bpf;
  static constexpr Way kWays[] = {
      {bpf::PART_SYSCALLS, {"on_syscall"}},
      {bpf::PART_SCHED, {"on_switch"}},
      {bpf::PART_BLOCK, {"on_io_begin", "on_io_end"}},
  };

  static Skeleton* open() { return groups_bpf__open(); }
  static int load(Skeleton* skeleton) { return groups_bpf__load(skeleton); }
  static void destroy(Skeleton* skeleton) { groups_bpf__destroy(skeleton); }
  static void prepare(Skeleton& skeleton) {
    for (std::uint32_t number = 0; number < bpf::CLASSED_CALLS; ++number)
      skeleton.rodata->class_of_call[number] = static_cast<std::uint8_t>(classOf(number));
  }
  static std::array<const bpf_map*, kMaps> maps(const Skeleton& skeleton) {
    std::array<const bpf_map*, kMaps> maps{};
    maps[kBoardMap] = skeleton.maps.bss;
    maps[kCpusMap] = skeleton.maps.cpus;
    maps[kClosingsMap] = skeleton.maps.closings;
    maps[kGroupsMap] = skeleton.maps.groups;
    maps[kMembersMap] = skeleton.maps.members;
    return maps;
  }
};

}  // namespace

Loaded loadGroups(const std::vector<std::string>& avoided) {
  Loaded loaded;
  {
    const Teller teller([&](const Message& message, int fd) {
      note(loaded, message, Descriptor(fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, 3)));
    });
    loadObject(GroupsObject{}, teller, avoided, /*library=*/false);
  }
  // What reading the kernel's types took is not needed again.
  ::malloc_trim(0);
  return loaded;
}

}  // namespace virtseer::ebpf

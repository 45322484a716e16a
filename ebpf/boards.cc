#include "ebpf/boards.h"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace virtseer::ebpf {

Pages::Pages(int map, std::size_t bytes, std::size_t offset, bool writable) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  bytes_ = (bytes + page - 1) / page * page;
  void* start = ::mmap(nullptr, bytes_, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
                       map, static_cast<off_t>(offset));
  if (start != MAP_FAILED) start_ = start;
}

Pages::~Pages() {
  if (start_ != nullptr) ::munmap(start_, bytes_);
}

std::string Boards::open(const Loaded& loaded) {
  bpf_map_info info{};
  std::uint32_t size = sizeof info;
  const int cpus = loaded.maps[kCpusMap].get();
  if (bpf_obj_get_info_by_fd(cpus, &info, &size) != 0 || info.value_size != sizeof(bpf::cpu_board))
    return "the processors' map is not as expected";
  cpu_count_ = info.max_entries;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const int closings = loaded.maps[kClosingsMap].get();
  board_ = Pages(loaded.maps[kBoardMap].get(), sizeof(bpf::board), 0, true);
  cpus_ = Pages(cpus, cpu_count_ * sizeof(bpf::cpu_board), 0, false);
  taken_ = Pages(closings, page, 0, true);
  filled_ = Pages(closings, page, page, false);
  if (board_ && cpus_ && taken_ && filled_) return {};
  return "the programs' maps cannot be mapped: " + errorText(errno);
}

void Boards::takeClosings() const {
  const auto* filled = static_cast<const unsigned long*>(filled_.start());
  auto* taken = static_cast<unsigned long*>(taken_.start());
  __atomic_store_n(taken, __atomic_load_n(filled, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

std::int64_t monoNs() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace virtseer::ebpf

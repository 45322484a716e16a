// Histograms: waiting for a processor, and requests to block devices.
#include <unistd.h>

#include <climits>
#include <string>

#include "agent/sources/ebpf_accounts.h"

namespace virtseer::agent::ebpf {
namespace {

class SchedAccount : public Account {
 public:
  void restart(const Loaded&) override {
    counts_.restart();
    seconds_.restart();
  }

 private:
  void add(const Boards& boards, double factor) override {
    std::uint64_t wait_ns = 0;
    for (const auto& cpu : boards.cpus()) {
      counts_.read(cpu.waits);
      wait_ns += peek(cpu.wait_ns);
    }
    histogram_.add(counts_.added(), seconds_.take(wait_ns), factor);
  }
  void tellCounters(Round& round) override { histogram_.tell(round); }

  BucketCounts counts_;
  AddedSeconds seconds_;
  Histogram histogram_{"guest_runqueue_waits_total", "guest_runqueue_wait_seconds_total", {}};
};

/// The name of a block device, e.g. "vda".
std::string deviceName(std::uint64_t number) {
  const std::string numbers =
      std::to_string(number >> 20) + ":" + std::to_string(number & ((1u << 20) - 1));
  char target[PATH_MAX];
  const ssize_t size = ::readlink(("/sys/dev/block/" + numbers).c_str(), target, sizeof target);
  const std::string_view path(target, size > 0 ? static_cast<std::size_t>(size) : 0);
  const auto slash = path.rfind('/');
  return slash == path.npos ? numbers : std::string(path.substr(slash + 1));
}

class BlockAccount : public Account {
 public:
  void restart(const Loaded&) override {
    for (auto& slot : slots_) slot = {};
  }

 private:
  void add(const Boards& boards, double factor) override {
    for (std::size_t i = 0; i < bpf::MAX_DEVICES; ++i) {
      const bpf::device_board& board = boards.board().devices[i];
      const std::uint64_t number = peek(board.number);
      if (number == 0) return;
      Slot& slot = slots_[i];
      if (slot.device == nullptr) slot.device = find(number);
      add(slot.reads, board.reads, slot.device->reads, factor);
      add(slot.writes, board.writes, slot.device->writes, factor);
    }
  }

  void tellCounters(Round& round) override {
    for (const auto& device : devices_) {
      device->reads.tell(round);
      device->writes.tell(round);
    }
  }

  static Histogram histogramOf(const std::string& device, const char* operation) {
    return {"guest_block_requests_total",
            "guest_block_request_seconds_total",
            {{"device", device}, {"operation", operation}}};
  }

  struct Device {
    explicit Device(const std::string& name)
        : name(name), reads(histogramOf(name, "read")), writes(histogramOf(name, "write")) {}
    std::string name;
    Histogram reads;
    Histogram writes;
  };
  struct Times {
    BucketCounts counts;
    AddedSeconds seconds;
  };
  /// One place of the programs' board.
  struct Slot {
    Device* device = nullptr;
    Times reads;
    Times writes;
  };

  static void add(Times& times, const bpf::io_times& board, Histogram& histogram, double factor) {
    times.counts.read(board.buckets);
    histogram.add(times.counts.added(), times.seconds.take(peek(board.sum_ns)), factor);
  }

  /// There are no more names than the columns of so many devices; further ones share the last.
  Device* find(std::uint64_t number) {
    const std::string name = deviceName(number);
    for (const auto& device : devices_)
      if (device->name == name) return device.get();
    const bool full = devices_.size() + 1 >= bpf::MAX_DEVICES;
    if (full && devices_.back()->name == "other") return devices_.back().get();
    return devices_.emplace_back(std::make_unique<Device>(full ? "other" : name)).get();
  }

  std::array<Slot, bpf::MAX_DEVICES> slots_;
  std::vector<std::unique_ptr<Device>> devices_;
};

}  // namespace

std::unique_ptr<Account> makeSchedAccount() {
  return std::make_unique<SchedAccount>();
}

std::unique_ptr<Account> makeBlockAccount() {
  return std::make_unique<BlockAccount>();
}

}  // namespace virtseer::agent::ebpf

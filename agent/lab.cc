#include "agent/lab.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "agent/child.h"
#include "agent/scan.h"

namespace virtseer::agent {
namespace {

/// Written at the start of the file each time, within one sector, so that it is never half written.
constexpr int kTickDigits = 20;

class LabSource : public Source {
 public:
  explicit LabSource(LabCounters& counters) : counters_(counters) {}

  std::string_view name() const override { return "lab"; }
  std::expected<void, std::string> open(const std::string&) override { return {}; }

  void read(Round& round) override {
    if (ticks_ == kNoColumn) {
      ticks_ = round.columns.add("guest_ticks_total");
      disk_ticks_ = round.columns.add("guest_disk_ticks_total");
      work_units_ = round.columns.add("guest_work_units_total");
    }
    round.row.set(ticks_, static_cast<double>(counters_.ticks.load()));
    if (counters_.has_disk)
      round.row.set(disk_ticks_, static_cast<double>(counters_.disk_ticks.load()));
    round.row.set(work_units_, static_cast<double>(counters_.work_units.load()));
  }

 private:
  LabCounters& counters_;
  Column ticks_ = kNoColumn;
  Column disk_ticks_ = kNoColumn;
  Column work_units_ = kNoColumn;
};

}  // namespace

std::string readRole(const std::string& root) {
  const auto role =
      readFile(root + "/sys/firmware/qemu_fw_cfg/by_name/" + std::string(echo::kRoleKey) + "/raw");
  if (role && mayWork(role->c_str())) return role->c_str();  // the key may end in a zero byte
  return "production";
}

LabPage::LabPage() {
  void* page = ::mmap(nullptr, sizeof(LabCounters), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) std::abort();
  counters_ = new (page) LabCounters;
}

LabPage::~LabPage() {
  ::munmap(counters_, sizeof(LabCounters));
}

DiskTicks::DiskTicks(std::string directory, LabCounters& counters)
    : file_(directory + "/ticks"), directory_(std::move(directory)), counters_(counters) {}

DiskTicks::~DiskTicks() {
  endChild(child_);
}

void DiskTicks::ensure() {
  if (child_ > 0 || !exists(directory_)) return;
  const int fd = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return;
  const Descriptor owner(fd);
  if (!found_) {
    const auto text = readFile(file_);
    const auto before = text ? parseNumber(*text) : std::nullopt;
    counters_.ticks += before.value_or(0);
    counters_.disk_ticks = before.value_or(0);
    counters_.has_disk = true;
    found_ = true;
  }
  child_ = forkChild([&] { run(fd); }, fd);
}

void DiskTicks::ended(pid_t child) {
  if (child == child_) child_ = 0;
}

void DiskTicks::run(int fd) {
  while (true) {
    const std::uint64_t ticks = counters_.ticks;
    char text[kTickDigits + 2];
    const int size = std::snprintf(text, sizeof text, "%0*llu\n", kTickDigits,
                                   static_cast<unsigned long long>(ticks));
    if (::pwrite(fd, text, static_cast<std::size_t>(size), 0) == size && ::fdatasync(fd) == 0)
      counters_.disk_ticks = ticks;
    pauseMs(1000);
  }
}

SourcePointer makeLabSource(LabCounters& counters) {
  return std::make_unique<LabSource>(counters);
}

}  // namespace virtseer::agent

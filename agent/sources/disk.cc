#include <algorithm>

#include "agent/devices.h"
#include "agent/scan.h"
#include "agent/source.h"

namespace virtseer::agent {
namespace {

/// One statistic: its place after the device's name in /proc/diskstats (kernel's
/// Documentation/admin-guide/iostats.rst), and what one step of it is worth.
struct Statistic {
  std::size_t place;
  std::string_view metric;
  double per_unit;
};

constexpr double kSectorsPerByte = 1.0 / 512;
constexpr double kMsPerSecond = 1000;

constexpr std::array<Statistic, 9> kStatistics{{
    {0, "guest_disk_reads_total", 1},
    {2, "guest_disk_read_bytes_total", kSectorsPerByte},
    {3, "guest_disk_read_seconds_total", kMsPerSecond},
    {4, "guest_disk_writes_total", 1},
    {6, "guest_disk_write_bytes_total", kSectorsPerByte},
    {7, "guest_disk_write_seconds_total", kMsPerSecond},
    {8, "guest_disk_io_in_progress", 1},
    {9, "guest_disk_io_seconds_total", kMsPerSecond},
    {10, "guest_disk_io_weighted_seconds_total", kMsPerSecond},
}};

constexpr std::array<std::string_view, 5> kNotDisks{"ram", "loop", "zram", "fd", "sr"};

class DiskSource : public Source {
 public:
  std::string_view name() const override { return "disk"; }

  std::expected<void, std::string> open(const std::string& root) override {
    root_ = root;
    return diskstats_.open(root + "/proc/diskstats");
  }

  void read(Round& round) override {
    const auto content = diskstats_.read(round.scratch);
    if (!content) return;
    std::string_view rest = *content;
    while (!rest.empty()) {
      std::string_view line = takeLine(rest);
      takeWord(line);
      takeWord(line);
      const std::string_view device = takeWord(line);
      if (!device.empty()) readDevice(round, device, line);
    }
  }

 private:
  using Disks = Devices<kStatistics.size()>;

  /// Partitions have no entry of their own in /sys/block. A '/' in a name stands there as '!'.
  bool isWholeDisk(std::string_view device) const {
    for (const std::string_view prefix : kNotDisks)
      if (device.starts_with(prefix)) return false;
    std::string entry(device);
    std::replace(entry.begin(), entry.end(), '/', '!');
    return exists(root_ + "/sys/block/" + entry);
  }

  void readDevice(Round& round, std::string_view name, std::string_view values) {
    Disks::Device* disk = disks_.find(name, [&](std::string_view device) {
      Disks::Device made{std::string(device), isWholeDisk(device), {}};
      made.columns.fill(kNoColumn);
      return made;
    });
    if (disk == nullptr || !disk->wanted) return;
    std::size_t next = 0;
    for (std::size_t place = 0; next < kStatistics.size(); ++place) {
      const auto value = takeNumber(values);
      if (!value) return;
      if (kStatistics[next].place != place) continue;
      Column& column = disk->columns[next];
      if (column == kNoColumn)
        column = round.columns.add(kStatistics[next].metric, {{"device", disk->name}});
      round.row.set(column, static_cast<double>(*value) / kStatistics[next].per_unit);
      ++next;
    }
  }

  std::string root_;
  KernelFile diskstats_;
  Disks disks_;
};

}  // namespace

SourcePointer makeDiskSource() {
  return std::make_unique<DiskSource>();
}

}  // namespace virtseer::agent

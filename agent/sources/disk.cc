#include <algorithm>
#include <string>

#include "agent/devices.h"
#include "agent/figures.h"
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

constexpr std::array<Statistic, 14> kStatistics{{
    {0, "guest_disk_reads_total", 1},
    {2, "guest_disk_read_bytes_total", kSectorsPerByte},
    {3, "guest_disk_read_seconds_total", kMsPerSecond},
    {4, "guest_disk_writes_total", 1},
    {6, "guest_disk_write_bytes_total", kSectorsPerByte},
    {7, "guest_disk_write_seconds_total", kMsPerSecond},
    {8, "guest_disk_io_in_progress", 1},
    {9, "guest_disk_io_seconds_total", kMsPerSecond},
    {10, "guest_disk_io_weighted_seconds_total", kMsPerSecond},
    {11, "guest_disk_discards_total", 1},
    {13, "guest_disk_discard_bytes_total", kSectorsPerByte},
    {14, "guest_disk_discard_seconds_total", kMsPerSecond},
    {15, "guest_disk_flushes_total", 1},
    {16, "guest_disk_flush_seconds_total", kMsPerSecond},
}};

constexpr std::size_t kBusyPlace = 9, kWeightedPlace = 10;
/// Behind the columns of kStatistics.
constexpr std::size_t kDepth = kStatistics.size(), kUtilisation = kDepth + 1;

/// Disks that can ever get columns.
constexpr std::size_t kMaxDisks = 32;

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

  std::string trouble() const override {
    if (places_.refused() == 0) return {};
    return "of " + std::to_string(kMaxDisks + places_.refused()) + " disks only the first " +
           std::to_string(kMaxDisks) + " are told";
  }

 private:
  /// What is needed of the round before, in milliseconds.
  struct Memory {
    Growth busy, weighted;
    std::int64_t read_ms = 0;
  };
  using Disks = Devices<kStatistics.size() + 2, Memory>;

  /// Partitions have no entry of their own in /sys/block. A '/' in a name stands there as '!'.
  bool isWholeDisk(std::string_view device) const {
    for (const std::string_view prefix : kNotDisks)
      if (device.starts_with(prefix)) return false;
    std::string entry(device);
    std::replace(entry.begin(), entry.end(), '/', '!');
    return exists(root_ + "/sys/block/" + entry);
  }

  void readDevice(Round& round, std::string_view name, std::string_view values) {
    Disks::Device* disk = disks_.find(
        name, [&](std::string_view device) { return isWholeDisk(device) && places_.take(); });
    if (disk == nullptr || !disk->wanted) return;
    std::optional<std::uint64_t> busy, weighted;
    std::size_t next = 0;
    for (std::size_t place = 0; next < kStatistics.size(); ++place) {
      const auto value = takeNumber(values);
      if (!value) break;
      if (place == kBusyPlace) busy = value;
      if (place == kWeightedPlace) weighted = value;
      if (kStatistics[next].place != place) continue;
      const auto& [_, metric, per_unit] = kStatistics[next];
      set(round, *disk, next++, metric, static_cast<double>(*value) / per_unit);
    }
    setUse(round, *disk, busy, weighted);
  }

  /// Utilisation is the share of the time since the round before in which a request was under way
  /// (io_ticks over elapsed time), queue depth how many were on average (weighted time over elapsed
  /// time). A disk that serves many requests at once can have a utilisation of 1 and room left.
  static void setUse(Round& round, Disks::Device& disk, std::optional<std::uint64_t> busy,
                     std::optional<std::uint64_t> weighted) {
    Memory& memory = disk.memory;
    const auto elapsed = static_cast<double>(round.now_ms - memory.read_ms);
    const auto busy_ms = memory.busy.to(busy), weighted_ms = memory.weighted.to(weighted);
    memory.read_ms = round.now_ms;
    if (elapsed <= 0) return;
    if (weighted_ms)
      set(round, disk, kDepth, "guest_disk_queue_depth", toThousandths(*weighted_ms / elapsed));
    if (busy_ms)
      if (const auto ratio = ratioOf(*busy_ms, elapsed))
        set(round, disk, kUtilisation, "guest_disk_utilisation_ratio", *ratio);
  }

  static void set(Round& round, Disks::Device& disk, std::size_t place, std::string_view metric,
                  double value) {
    Column& column = disk.columns[place];
    if (column == kNoColumn) column = round.columns.add(metric, {{"device", disk.name}});
    round.row.set(column, value);
  }

  std::string root_;
  KernelFile diskstats_;
  Disks disks_;
  Places places_{kMaxDisks};
};

}  // namespace

SourcePointer makeDiskSource() {
  return std::make_unique<DiskSource>();
}

}  // namespace virtseer::agent

#include <array>
#include <optional>

#include "agent/fields.h"
#include "agent/figures.h"
#include "agent/source.h"

namespace virtseer::agent {
namespace {

/// Of /proc/meminfo, in KiB; the kernel's Documentation/filesystems/proc.rst.
constexpr std::array<std::string_view, 18> kSizeKeys{
    "MemTotal:",  "MemFree:",   "MemAvailable:",   "Buffers:",   "Cached:",   "SwapCached:",
    "Active:",    "Inactive:",  "Inactive(file):", "SwapTotal:", "SwapFree:", "Dirty:",
    "Writeback:", "AnonPages:", "Mapped:",         "Shmem:",     "Slab:",     "SReclaimable:"};
enum Size : std::size_t { kTotal, kFree, kAvailable, kActive = 6, kInactive, kInactiveFile };

/// The metrics of kSizeKeys; those of no name only go into what is computed.
constexpr std::array<std::string_view, kSizeKeys.size()> kSizeMetrics{
    "guest_memory_total_bytes",
    "guest_memory_free_bytes",
    "guest_memory_available_bytes",
    "guest_memory_buffers_bytes",
    "guest_memory_cached_bytes",
    "guest_swap_cached_bytes",
    "guest_memory_active_bytes",
    "guest_memory_inactive_bytes",
    "",
    "guest_swap_total_bytes",
    "guest_swap_free_bytes",
    "guest_memory_dirty_bytes",
    "guest_memory_writeback_bytes",
    "guest_memory_anonymous_bytes",
    "guest_memory_mapped_bytes",
    "guest_memory_shared_bytes",
    "guest_memory_slab_bytes",
    "guest_memory_slab_reclaimable_bytes"};

/// Of /proc/vmstat (the kernel's include/linux/vm_event_item.h and mmzone.h).
constexpr std::array<std::string_view, 16> kEventKeys{"pswpin",
                                                      "pswpout",
                                                      "pgfault",
                                                      "pgmajfault",
                                                      "pgactivate",
                                                      "pgdeactivate",
                                                      "nr_dirtied",
                                                      "nr_written",
                                                      "pgscan_kswapd",
                                                      "pgscan_direct",
                                                      "pgsteal_kswapd",
                                                      "pgsteal_direct",
                                                      "workingset_refault_anon",
                                                      "workingset_refault_file",
                                                      "workingset_refault",
                                                      "oom_kill"};
enum Event : std::size_t {
  kFaults = 2,
  kMajorFaults,
  kActivated,
  kDirtied = 6,
  kReclaimedKswapd = 10,
  kReclaimedDirect,
  kRefaultedAnon,
  kRefaultedFile,
  kRefaultedAny,  ///< kernels before 5.9 do not tell the two apart
};

/// The metric of one event, with a label where several make up one.
struct EventMetric {
  std::string_view metric;
  std::string_view label = {};
  std::string_view value = {};
};
constexpr std::array<EventMetric, kEventKeys.size()> kEventMetrics{{
    {"guest_swap_in_pages_total"},
    {"guest_swap_out_pages_total"},
    {},
    {},
    {"guest_memory_activated_pages_total"},
    {"guest_memory_deactivated_pages_total"},
    {"guest_memory_dirtied_pages_total"},
    {"guest_memory_written_pages_total"},
    {"guest_memory_scanned_pages_total", "by", "kswapd"},
    {"guest_memory_scanned_pages_total", "by", "direct"},
    {"guest_memory_reclaimed_pages_total", "by", "kswapd"},
    {"guest_memory_reclaimed_pages_total", "by", "direct"},
    {"guest_memory_refaulted_pages_total", "type", "anonymous"},
    {"guest_memory_refaulted_pages_total", "type", "file"},
    {"guest_memory_refaulted_pages_total", "type", "any"},
    {"guest_oom_kills_total"},
}};

template <std::size_t N>
constexpr std::array<Column, N> noColumns() {
  std::array<Column, N> columns{};
  columns.fill(kNoColumn);
  return columns;
}

std::optional<std::uint64_t> sum(std::optional<std::uint64_t> a, std::optional<std::uint64_t> b) {
  if (!a || !b) return a ? a : b;
  return *a + *b;
}

class MemorySource : public Source {
 public:
  std::string_view name() const override { return "memory"; }

  std::expected<void, std::string> open(const std::string& root) override {
    if (auto opened = meminfo_.open(root + "/proc/meminfo"); !opened) return opened;
    return vmstat_.open(root + "/proc/vmstat");
  }

  void read(Round& round) override {
    if (const auto content = meminfo_.read(round.scratch)) {
      sizes_.read(*content);
      setSizes(round);
      setEstimates(round);
    }
    if (const auto content = vmstat_.read(round.scratch)) {
      events_.read(*content);
      setEvents(round);
      setFaults(round);
      setShares(round);
    }
  }

 private:
  void setSizes(Round& round) {
    for (std::size_t i = 0; i < kSizeKeys.size(); ++i) {
      if (!sizes_[i] || kSizeMetrics[i].empty()) continue;
      Column& column = size_columns_[i];
      if (column == kNoColumn) column = round.columns.add(kSizeMetrics[i]);
      round.row.set(column, static_cast<double>(*sizes_[i]) * 1024);
    }
    const auto total = sizes_[kTotal], available = sizes_[kAvailable];
    if (total && available && *available <= *total)
      set(round, used_, "guest_memory_used_bytes", static_cast<double>(*total - *available) * 1024);
  }

  /// Working set: what is in use less the page cache that was not touched twice, the formula by
  /// which Kubernetes' kubelet judges memory (google/cadvisor, container/libcontainer/handler.go,
  /// setMemoryStats: usage - inactive_file), here of the whole guest: MemTotal - MemFree -
  /// Inactive(file). It is at least what the guest needs to keep its pace, and above it by what is
  /// mapped or anonymous and idle: the kernel does not tell idle anonymous memory from busy one
  /// before it has to reclaim.
  ///
  /// Active share: Active / (Active + Inactive). High: the same pages are touched again and again.
  void setEstimates(Round& round) {
    const auto total = sizes_[kTotal], free = sizes_[kFree], idle = sizes_[kInactiveFile];
    if (total && free && idle && *free <= *total && *idle <= *total - *free)
      set(round, working_set_, "guest_memory_working_set_bytes",
          static_cast<double>(*total - *free - *idle) * 1024);
    const auto active = sizes_[kActive], inactive = sizes_[kInactive];
    if (!active || !inactive) return;
    const auto whole = static_cast<double>(*active) + static_cast<double>(*inactive);
    set(round, active_share_, "guest_memory_active_ratio",
        ratioOf(static_cast<double>(*active), whole));
  }

  void setEvents(Round& round) {
    for (std::size_t i = 0; i < kEventKeys.size(); ++i) {
      const auto& [metric, label, value] = kEventMetrics[i];
      if (!events_[i] || metric.empty()) continue;
      Column& column = event_columns_[i];
      if (column == kNoColumn)
        column =
            label.empty() ? round.columns.add(metric) : round.columns.add(metric, {{label, value}});
      round.row.set(column, static_cast<double>(*events_[i]));
    }
  }

  void setFaults(Round& round) {
    const auto all = events_[kFaults], major = events_[kMajorFaults];
    if (!all || !major || *major > *all) return;
    if (minor_ == kNoColumn) {
      minor_ = round.columns.add("guest_page_faults_total", {{"type", "minor"}});
      major_ = round.columns.add("guest_page_faults_total", {{"type", "major"}});
    }
    round.row.set(minor_, static_cast<double>(*all - *major));
    round.row.set(major_, static_cast<double>(*major));
  }

  /// Write share: pages that were made dirty over pages that were faulted in or became active since
  /// the round before, at most 1. Of file-backed memory alone: the kernel counts no writes to
  /// anonymous pages (nr_dirtied, mm/page-writeback.c), which the hypervisor's dirty rate tells.
  ///
  /// Refault share: pages that came back soon after they were reclaimed over pages reclaimed since
  /// the round before, at most 1 (workingset_refault, mm/workingset.c). Near 1: memory is short by
  /// about what was reclaimed; near 0: what was reclaimed was not needed.
  void setShares(Round& round) {
    const auto dirtied = dirtied_.to(events_[kDirtied]);
    const auto faulted = faulted_.to(events_[kFaults]);
    const auto activated = activated_.to(events_[kActivated]);
    if (dirtied && faulted && activated)
      set(round, write_share_, "guest_memory_write_share_ratio",
          ratioOf(*dirtied, *faulted + *activated));
    const auto refaulted = refaulted_.to(
        sum(sum(events_[kRefaultedAnon], events_[kRefaultedFile]), events_[kRefaultedAny]));
    const auto reclaimed = reclaimed_.to(sum(events_[kReclaimedKswapd], events_[kReclaimedDirect]));
    if (refaulted && reclaimed)
      set(round, refault_share_, "guest_memory_refault_ratio", ratioOf(*refaulted, *reclaimed));
  }

  static void set(Round& round, Column& column, std::string_view metric,
                  std::optional<double> value) {
    if (!value) return;
    if (column == kNoColumn) column = round.columns.add(metric);
    round.row.set(column, *value);
  }

  KernelFile meminfo_;
  KernelFile vmstat_;
  FieldLines sizes_{kSizeKeys};
  FieldLines events_{kEventKeys};
  std::array<Column, kSizeKeys.size()> size_columns_ = noColumns<kSizeKeys.size()>();
  std::array<Column, kEventKeys.size()> event_columns_ = noColumns<kEventKeys.size()>();
  Growth dirtied_, faulted_, activated_, refaulted_, reclaimed_;
  Column used_ = kNoColumn, working_set_ = kNoColumn, active_share_ = kNoColumn;
  Column minor_ = kNoColumn, major_ = kNoColumn;
  Column write_share_ = kNoColumn, refault_share_ = kNoColumn;
};

}  // namespace

SourcePointer makeMemorySource() {
  return std::make_unique<MemorySource>();
}

}  // namespace virtseer::agent

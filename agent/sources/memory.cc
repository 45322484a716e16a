#include <array>
#include <optional>

#include "agent/scan.h"
#include "agent/source.h"

namespace virtseer::agent {
namespace {

/// A line of a file of "key value" lines, and the column it goes to.
struct Field {
  std::string_view key;
  std::string_view metric;
  std::optional<std::uint64_t> value = {};
  Column column = kNoColumn;
};

template <std::size_t N>
void readFields(std::string_view content, std::array<Field, N>& fields) {
  for (Field& field : fields) field.value.reset();
  while (!content.empty()) {
    std::string_view line = takeLine(content);
    const std::string_view key = takeWord(line);
    for (Field& field : fields)
      if (field.key == key) field.value = takeNumber(line);
  }
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
      readFields(*content, sizes_);
      setSizes(round);
    }
    if (const auto content = vmstat_.read(round.scratch)) {
      readFields(*content, events_);
      setEvents(round);
    }
  }

 private:
  static constexpr std::size_t kTotal = 0, kAvailable = 1;
  static constexpr std::size_t kFaults = 2, kMajorFaults = 3;

  void setSizes(Round& round) {
    for (Field& field : sizes_) {
      if (!field.value) continue;
      if (field.column == kNoColumn) field.column = round.columns.add(field.metric);
      round.row.set(field.column, static_cast<double>(*field.value) * 1024);
    }
    const auto total = sizes_[kTotal].value, available = sizes_[kAvailable].value;
    if (!total || !available || *available > *total) return;
    if (used_ == kNoColumn) used_ = round.columns.add("guest_memory_used_bytes");
    round.row.set(used_, static_cast<double>(*total - *available) * 1024);
  }

  void setEvents(Round& round) {
    for (Field& field : events_) {
      if (!field.value || field.metric.empty()) continue;
      if (field.column == kNoColumn) field.column = round.columns.add(field.metric);
      round.row.set(field.column, static_cast<double>(*field.value));
    }
    const auto all = events_[kFaults].value, major = events_[kMajorFaults].value;
    if (!all || !major || *major > *all) return;
    if (minor_ == kNoColumn) {
      minor_ = round.columns.add("guest_page_faults_total", {{"type", "minor"}});
      major_ = round.columns.add("guest_page_faults_total", {{"type", "major"}});
    }
    round.row.set(minor_, static_cast<double>(*all - *major));
    round.row.set(major_, static_cast<double>(*major));
  }

  KernelFile meminfo_;
  KernelFile vmstat_;
  /// Of /proc/meminfo, in KiB.
  std::array<Field, 7> sizes_{{{"MemTotal:", "guest_memory_total_bytes"},
                               {"MemAvailable:", "guest_memory_available_bytes"},
                               {"MemFree:", "guest_memory_free_bytes"},
                               {"Cached:", "guest_memory_cached_bytes"},
                               {"Dirty:", "guest_memory_dirty_bytes"},
                               {"SwapTotal:", "guest_swap_total_bytes"},
                               {"SwapFree:", "guest_swap_free_bytes"}}};
  /// Of /proc/vmstat; faults are split by type after all of them are known.
  std::array<Field, 4> events_{{{"pswpin", "guest_swap_in_pages_total"},
                                {"pswpout", "guest_swap_out_pages_total"},
                                {"pgfault", ""},
                                {"pgmajfault", ""}}};
  Column used_ = kNoColumn;
  Column minor_ = kNoColumn;
  Column major_ = kNoColumn;
};

}  // namespace

SourcePointer makeMemorySource() {
  return std::make_unique<MemorySource>();
}

}  // namespace virtseer::agent

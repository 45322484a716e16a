#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "agent/scan.h"
#include "agent/source.h"

namespace virtseer::agent {
namespace {

/// The first columns of /proc/stat's cpu lines (proc(5)); guest time is contained in user's.
constexpr std::array<std::string_view, 8> kModes{"user",   "nice", "system",  "idle",
                                                 "iowait", "irq",  "softirq", "steal"};

/// Processors with columns of their own; those beyond are told as their sum.
constexpr std::size_t kMaxCores = 128;
/// Beyond what a kernel can be built for.
constexpr std::uint64_t kMaxIndex = 65535;

class CpuSource : public Source {
 public:
  std::string_view name() const override { return "cpu"; }

  std::expected<void, std::string> open(const std::string& root) override {
    return stat_.open(root + "/proc/stat");
  }

  void read(Round& round) override {
    const auto content = stat_.read(round.scratch);
    if (!content) return;
    if (running_ == kNoColumn) declare(round.columns);
    others_.fill(std::nullopt);
    std::string_view rest = *content;
    while (!rest.empty()) {
      std::string_view line = takeLine(rest);
      const std::string_view key = takeWord(line);
      if (key.starts_with("cpu") && key.size() > 3)
        readCore(round, key.substr(3), line);
      else if (key == "ctxt")
        set(round.row, switches_, takeNumber(line));
      else if (key == "processes")
        set(round.row, forks_, takeNumber(line));
      else if (key == "procs_running")
        set(round.row, running_, takeNumber(line));
      else if (key == "procs_blocked")
        set(round.row, blocked_, takeNumber(line));
      else if (key == "btime")
        set(round.row, boot_time_, takeNumber(line));
    }
    for (std::size_t mode = 0; mode < kModes.size(); ++mode)
      if (others_[mode]) setTicks(round, cores_[kMaxCores], "other", mode, *others_[mode]);
  }

 private:
  using Core = std::array<Column, kModes.size()>;

  void declare(Columns& columns) {
    running_ = columns.add("guest_procs_running");
    blocked_ = columns.add("guest_procs_blocked");
    boot_time_ = columns.add("guest_boot_time_seconds");
    switches_ = columns.add("guest_context_switches_total");
    forks_ = columns.add("guest_forks_total");
  }

  static void set(Row& row, Column column, std::optional<std::uint64_t> value) {
    if (value) row.set(column, static_cast<double>(*value));
  }

  void readCore(Round& round, std::string_view number, std::string_view values) {
    const auto index = parseNumber(number);
    if (!index || *index > kMaxIndex) return;
    const std::size_t core = std::min<std::size_t>(*index, kMaxCores);
    while (cores_.size() <= core) cores_.emplace_back().fill(kNoColumn);
    for (std::size_t mode = 0; mode < kModes.size(); ++mode) {
      const auto ticks = takeNumber(values);
      if (!ticks) return;
      if (core < kMaxCores) {
        setTicks(round, cores_[core], number, mode, *ticks);
      } else {
        others_[mode] = others_[mode].value_or(0) + *ticks;
      }
    }
  }

  void setTicks(Round& round, Core& core, std::string_view name, std::size_t mode,
                std::uint64_t ticks) const {
    if (core[mode] == kNoColumn)
      core[mode] =
          round.columns.add("guest_cpu_seconds_total", {{"cpu", name}, {"mode", kModes[mode]}});
    round.row.set(core[mode], static_cast<double>(ticks) / ticks_per_second_);
  }

  KernelFile stat_;
  std::vector<Core> cores_;  ///< the last of kMaxCores + 1 is for those beyond
  std::array<std::optional<std::uint64_t>, kModes.size()> others_;
  Column running_ = kNoColumn;
  Column blocked_ = kNoColumn;
  Column boot_time_ = kNoColumn;
  Column switches_ = kNoColumn;
  Column forks_ = kNoColumn;
  const double ticks_per_second_ = static_cast<double>(::sysconf(_SC_CLK_TCK));
};

}  // namespace

SourcePointer makeCpuSource() {
  return std::make_unique<CpuSource>();
}

}  // namespace virtseer::agent

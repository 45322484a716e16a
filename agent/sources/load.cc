#include <array>

#include "agent/scan.h"
#include "agent/source.h"

namespace virtseer::agent {
namespace {

class LoadSource : public Source {
 public:
  std::string_view name() const override { return "load"; }

  std::expected<void, std::string> open(const std::string& root) override {
    if (auto opened = loadavg_.open(root + "/proc/loadavg"); !opened) return opened;
    return uptime_.open(root + "/proc/uptime");
  }

  void read(Round& round) override {
    if (uptime_seconds_ == kNoColumn) declare(round.columns);
    if (const auto content = loadavg_.read(round.scratch)) {
      std::string_view line = *content;
      for (const Column load : loads_)
        if (!set(round, load, takeWord(line))) break;
    }
    if (const auto content = uptime_.read(round.scratch)) {
      std::string_view line = *content;
      set(round, uptime_seconds_, takeWord(line));
    }
  }

 private:
  void declare(Columns& columns) {
    loads_ = {columns.add("guest_load1"), columns.add("guest_load5"), columns.add("guest_load15")};
    uptime_seconds_ = columns.add("guest_uptime_seconds");
  }

  static bool set(Round& round, Column column, std::string_view word) {
    const auto value = parseDecimal(word);
    if (value) round.row.set(column, *value);
    return value.has_value();
  }

  KernelFile loadavg_;
  KernelFile uptime_;
  std::array<Column, 3> loads_{};
  Column uptime_seconds_ = kNoColumn;
};

}  // namespace

SourcePointer makeLoadSource() {
  return std::make_unique<LoadSource>();
}

}  // namespace virtseer::agent

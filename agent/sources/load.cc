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
    if (load1_ == kNoColumn) {
      load1_ = round.columns.add("guest_load1");
      seconds_ = round.columns.add("guest_uptime_seconds");
    }
    readFirst(round, loadavg_, load1_);
    readFirst(round, uptime_, seconds_);
  }

 private:
  static void readFirst(Round& round, const KernelFile& file, Column column) {
    const auto content = file.read(round.scratch);
    if (!content) return;
    std::string_view line = *content;
    if (const auto value = parseDecimal(takeWord(line))) round.row.set(column, *value);
  }

  KernelFile loadavg_;
  KernelFile uptime_;
  Column load1_ = kNoColumn;
  Column seconds_ = kNoColumn;
};

}  // namespace

SourcePointer makeLoadSource() {
  return std::make_unique<LoadSource>();
}

}  // namespace virtseer::agent

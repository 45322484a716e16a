#include <array>

#include "agent/figures.h"
#include "agent/scan.h"
#include "agent/source.h"

namespace virtseer::agent {
namespace {

/// Stall times of the kernel's Documentation/accounting/psi.rst: `some` is time in which a task
/// waited, `full` time in which all of them did. `full` has no meaning for the CPU of a machine.
struct Resource {
  std::string_view name;
  bool can_stall;
  KernelFile file = {};
  Column waiting = kNoColumn;
  Column stalled = kNoColumn;
};

class PressureSource : public Source {
 public:
  std::string_view name() const override { return "pressure"; }

  std::expected<void, std::string> open(const std::string& root) override {
    for (Resource& resource : resources_) {
      auto opened = resource.file.open(root + "/proc/pressure/" + std::string(resource.name));
      if (!opened) return opened;
    }
    return {};
  }

  void read(Round& round) override {
    for (Resource& resource : resources_) {
      const auto content = resource.file.read(round.scratch);
      if (!content) continue;
      std::string_view rest = *content;
      while (!rest.empty()) readLine(round, resource, takeLine(rest));
    }
  }

 private:
  static void readLine(Round& round, Resource& resource, std::string_view line) {
    constexpr std::string_view kTotal = "total=";
    const std::string_view kind = takeWord(line);
    const auto place = line.find(kTotal);
    if (place == line.npos) return;
    const auto microseconds = parseNumber(line.substr(place + kTotal.size()));
    if (!microseconds) return;
    const double seconds = toThousandths(static_cast<double>(*microseconds) / 1e6);
    if (kind == "some")
      set(round, resource, resource.waiting, "guest_pressure_waiting_seconds_total", seconds);
    else if (kind == "full" && resource.can_stall)
      set(round, resource, resource.stalled, "guest_pressure_stalled_seconds_total", seconds);
  }

  static void set(Round& round, const Resource& resource, Column& column, std::string_view metric,
                  double value) {
    if (column == kNoColumn) column = round.columns.add(metric, {{"resource", resource.name}});
    round.row.set(column, value);
  }

  std::array<Resource, 3> resources_{{{"cpu", false}, {"memory", true}, {"io", true}}};
};

}  // namespace

SourcePointer makePressureSource() {
  return std::make_unique<PressureSource>();
}

}  // namespace virtseer::agent

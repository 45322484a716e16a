#include <sys/resource.h>

#include "agent/source.h"

namespace virtseer::agent {
namespace {

class AgentSource : public Source {
 public:
  std::string_view name() const override { return "agent"; }
  std::expected<void, std::string> open(const std::string&) override { return {}; }

  void read(Round& round) override {
    if (cpu_ == kNoColumn) cpu_ = round.columns.add("guest_agent_cpu_seconds_total");
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0)
      round.row.set(cpu_, seconds(usage.ru_utime) + seconds(usage.ru_stime));
  }

 private:
  /// To the millisecond, as finer digits are noise that takes room.
  static double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec * 1000 + time.tv_usec / 1000) / 1000;
  }

  Column cpu_ = kNoColumn;
};

}  // namespace

SourcePointer makeAgentSource() {
  return std::make_unique<AgentSource>();
}

}  // namespace virtseer::agent

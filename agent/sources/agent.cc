#include <sys/resource.h>
#include <unistd.h>

#include "agent/figures.h"
#include "agent/scan.h"
#include "agent/source.h"

namespace virtseer::agent {
namespace {

class AgentSource : public Source {
 public:
  std::string_view name() const override { return "agent"; }

  std::expected<void, std::string> open(const std::string& root) override {
    // Where it is not there, resident memory is missing.
    if (const auto opened = statm_.open(root + "/proc/self/statm"); !opened) return {};
    return {};
  }

  void read(Round& round) override {
    if (cpu_ == kNoColumn) declare(round.columns);
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0)
      round.row.set(cpu_, toThousandths(seconds(usage.ru_utime) + seconds(usage.ru_stime)));
    if (const auto content = statm_.read(round.scratch)) {
      std::string_view line = *content;  // its second number is that of resident pages
      takeWord(line);
      if (const auto pages = takeNumber(line))
        round.row.set(resident_, static_cast<double>(*pages) * page_bytes_);
    }
    round.row.set(echoes_kept_, static_cast<double>(round.echoes_kept));
    round.row.set(columns_refused_, static_cast<double>(round.columns.refused()));
    round.row.set(reports_refused_, static_cast<double>(round.report.refused()));
  }

 private:
  void declare(Columns& columns) {
    cpu_ = columns.add("guest_agent_cpu_seconds_total");
    resident_ = columns.add("guest_agent_resident_bytes");
    echoes_kept_ = columns.add("guest_agent_echoes_kept");
    columns_refused_ = columns.add("guest_agent_columns_refused_total");
    reports_refused_ = columns.add("guest_agent_reports_refused_total");
  }

  static double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  }

  KernelFile statm_;
  const double page_bytes_ = static_cast<double>(::sysconf(_SC_PAGESIZE));
  Column cpu_ = kNoColumn;
  Column resident_ = kNoColumn;
  Column echoes_kept_ = kNoColumn;
  Column columns_refused_ = kNoColumn;
  Column reports_refused_ = kNoColumn;
};

}  // namespace

SourcePointer makeAgentSource() {
  return std::make_unique<AgentSource>();
}

}  // namespace virtseer::agent

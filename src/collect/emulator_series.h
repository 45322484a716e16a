#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "collect/stream_writer.h"
#include "ebpf/groups.h"

namespace virtseer::collect {

/// Makes series of what was counted. The names are the same for all VMs, and live for ever.
class EmulatorSeries {
 public:
  EmulatorSeries();

  /// What a VM's process did.
  std::vector<NamedValue> of(const ebpf::GroupCounts& counts);
  /// Adds what a part of the programs costs.
  void addHost(const ebpf::Groups::PartFigures& figures, std::vector<NamedValue>& out) const;

 private:
  struct HistogramNames {
    std::array<const SeriesName*, bpf::BUCKETS> events;
    const SeriesName* seconds;
  };
  static HistogramNames histogram(const char* events, const char* seconds, const Labels& labels);
  static void add(const ebpf::TimeCounts& counts, const HistogramNames& names,
                  std::vector<NamedValue>& out);
  const SeriesName* errorName(std::size_t number);

  std::array<const SeriesName*, bpf::CALL_CLASSES> calls_;
  std::array<const SeriesName*, bpf::MAX_ERRNO> errors_{};  ///< of numbers that were seen
  std::size_t errors_seen_ = 0;
  HistogramNames waits_;
  HistogramNames reads_;
  HistogramNames writes_;
};

}  // namespace virtseer::collect

#include "agent/sources/process_ranking.h"

#include <algorithm>

namespace virtseer::agent {

void ProcessRanking::Largest::clear(std::size_t most) {
  size_ = 0;
  most_ = std::min(most, kMost);
}

void ProcessRanking::Largest::offer(double value, std::uint32_t process) {
  // Neither what is not known nor what is nothing.
  if (!(value > 0) || (size_ == most_ && (size_ == 0 || value <= entries_[size_ - 1].value)))
    return;
  std::size_t place = size_ < most_ ? size_++ : size_ - 1;
  for (; place > 0 && entries_[place - 1].value < value; --place)
    entries_[place] = entries_[place - 1];
  entries_[place] = {value, process};
}

std::span<const ProcessRanking::Place> ProcessRanking::rank(std::span<const Process> processes,
                                                            std::size_t most) {
  auto& [cpu, memory, io] = largest_;
  for (Largest& largest : largest_) largest.clear(most);
  for (std::uint32_t i = 0; i < processes.size(); ++i) {
    const Process& process = processes[i];
    if (!process.isKnown()) continue;
    cpu.offer(process.cpu_cores, i);
    memory.offer(process.resident_pages, i);
    io.offer(process.read_rate + process.write_rate, i);
  }
  places_.clear();
  for (std::size_t row = 0; row < kMost; ++row)
    for (std::size_t resource = 0; resource < largest_.size(); ++resource) {
      if (row >= largest_[resource].size()) continue;
      const std::uint32_t process = largest_[resource].at(row);
      const auto bit = static_cast<std::uint8_t>(1u << resource);
      const auto known = std::find_if(places_.begin(), places_.end(),
                                      [&](const Place& place) { return place.process == process; });
      if (known == places_.end())
        places_.push_back({process, bit});
      else
        known->by |= bit;
    }
  return places_;
}

std::string_view ProcessRanking::reasons(std::uint8_t by) {
  constexpr std::array<std::string_view, 8> kReasons{"",   "cpu",    "memory",    "cpu memory",
                                                     "io", "cpu io", "memory io", "cpu memory io"};
  return kReasons[by & 7];
}

}  // namespace virtseer::agent

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "agent/sources/process_list.h"

namespace virtseer::agent {

/// The processes that use most CPU time, memory or I/O.
class ProcessRanking {
 public:
  static constexpr std::size_t kMost = 64;

  struct Place {
    std::uint32_t process = 0;  ///< its index
    std::uint8_t by = 0;        ///< bits of what brought it here: CPU time, memory, I/O
  };

  /// The first `most` of each (at most kMost), who stands high in any of them first. Who uses none
  /// of a resource is not ranked by it. Lives until the next call.
  std::span<const Place> rank(std::span<const Process> processes, std::size_t most);

  /// "cpu", "memory", "io", or several of them: "cpu memory".
  static std::string_view reasons(std::uint8_t by);

 private:
  /// The largest numbers so far, in falling order.
  class Largest {
   public:
    void clear(std::size_t most);
    void offer(double value, std::uint32_t process);
    std::size_t size() const { return size_; }
    std::uint32_t at(std::size_t place) const { return entries_[place].process; }

   private:
    struct Entry {
      double value;
      std::uint32_t process;
    };
    std::array<Entry, kMost> entries_;
    std::size_t size_ = 0, most_ = 0;
  };

  std::array<Largest, 3> largest_;
  std::vector<Place> places_;
};

}  // namespace virtseer::agent

#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "agent/columns.h"

namespace virtseer::agent {

/// The devices of one table of the kernel, each with N columns. The tables keep their order from
/// round to round, so that a search mostly ends at its first look.
template <std::size_t N>
class Devices {
 public:
  struct Device {
    std::string name;
    bool wanted = true;
    std::array<Column, N> columns;
  };

  /// The device of this name; `make(name)` gives the entry for one that was not seen before. Null
  /// once as many devices are known as an echo could have columns.
  template <typename Make>
  Device* find(std::string_view name, Make make) {
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      const std::size_t place = (next_ + i) % devices_.size();
      if (devices_[place].name != name) continue;
      next_ = place + 1;
      return &devices_[place];
    }
    if (devices_.size() >= echo::kMaxColumns) return nullptr;
    next_ = devices_.size() + 1;
    return &devices_.emplace_back(make(name));
  }

 private:
  std::vector<Device> devices_;
  std::size_t next_ = 0;
};

}  // namespace virtseer::agent

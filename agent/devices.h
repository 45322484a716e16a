#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "agent/columns.h"
#include "virtseer/echo/text.h"

namespace virtseer::agent {

/// The devices of one table of the kernel, each with N columns and what is remembered of it from
/// round to round. The tables keep their order, so that a search mostly ends at its first look.
/// Names come and go in a guest while columns stay: what may have columns is bounded, those that
/// find no place are known all the same and counted.
template <std::size_t N, class Memory = std::monostate>
class Devices {
 public:
  struct Device {
    std::string name;  ///< as the kernel has it
    bool wanted = true;
    std::array<Column, N> columns = {};
    Memory memory = {};
  };

  /// The device of this name. `admit(name)` says whether one that was not seen before gets columns.
  /// Null once more devices have columns than any table should.
  template <typename Admit>
  Device* find(std::string_view name, Admit admit) {
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      const std::size_t place =
          next_ + i < devices_.size() ? next_ + i : next_ + i - devices_.size();
      if (devices_[place].name != name) continue;
      next_ = place + 1 < devices_.size() ? place + 1 : 0;
      return &devices_[place];
    }
    if (devices_.size() >= kMaxKnown)
      std::erase_if(devices_, [](const Device& device) { return !device.wanted; });
    if (devices_.size() >= kMaxKnown) return nullptr;
    Device& made = devices_.emplace_back();
    made.name = name;
    made.columns.fill(kNoColumn);
    made.wanted = !told(name) && admit(name);
    next_ = 0;
    return &made;
  }

 private:
  static constexpr std::size_t kMaxKnown = 1024;

  /// Whether columns under the name that this one gets in a frame are there already, which happens
  /// with names of control characters: no two columns may be named alike.
  bool told(std::string_view name) const {
    const std::string clean = echo::cleanText(name);
    return std::any_of(devices_.begin(), devices_.end() - 1, [&](const Device& device) {
      return device.wanted && echo::cleanText(device.name) == clean;
    });
  }

  std::vector<Device> devices_;
  std::size_t next_ = 0;
};

/// How many devices got columns, and how many found none left.
class Places {
 public:
  explicit Places(std::size_t most) : most_(most) {}

  bool take() {
    if (taken_ < most_) return ++taken_ > 0;
    ++refused_;
    return false;
  }
  std::size_t refused() const { return refused_; }

 private:
  std::size_t most_;
  std::size_t taken_ = 0;
  std::size_t refused_ = 0;
};

}  // namespace virtseer::agent

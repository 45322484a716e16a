#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "platform/libvirt/connection.h"

namespace virtseer::platform {

/// Asks libvirt which features a <cpu> element stands for, those of its named model included, and
/// remembers the answers. Any thread.
class CpuExpander {
 public:
  /// Sorted; empty where the driver cannot tell. Blocks.
  std::vector<std::string> features(const Connection& connection, const std::string& virt_type,
                                    const std::string& cpu_xml);
  void forget();

 private:
  static constexpr std::size_t kMost = 256;

  std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> known_;
};

}  // namespace virtseer::platform

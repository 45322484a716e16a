#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "platform/environment.h"

namespace virtseer::platform {

/// One field of libvirt's bulk statistics: "cpu.time", "block.0.rd.bytes".
struct Field {
  std::string_view name;
  double number = 0;
  std::string_view text;  ///< of the fields that are strings ("block.0.name")
};

/// libvirt's statistics fields as virtseer's metrics: the names of the usual exporters, base units,
/// one series per virtual CPU, disk and network interface. Fields without a metric are left out.
///
/// Disks are labelled by their target ("vda"). Interfaces are labelled by their place in the
/// definition ("net0"): the host's tap device is another one after each start and migration, and
/// would begin a new series each time.
///
/// Remembers the interned names, since the same fields come with every sample. Not thread-safe.
class Translator {
 public:
  std::vector<Measured> translate(std::span<const Field> fields);

  /// More devices of one kind in one VM than this are left out.
  static constexpr std::size_t kMaxDevices = 1024;

 private:
  struct Known {
    const SeriesName* name;
    double factor;
  };
  const Known* known(std::string_view group, std::string_view field, std::string_view device);

  std::unordered_map<std::string, Known> known_;
  std::string key_;
};

/// The state number of virDomainState as ours; active states that libvirt does not name are
/// running.
VmState vmState(int libvirt_state);

}  // namespace virtseer::platform

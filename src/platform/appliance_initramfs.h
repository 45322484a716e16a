#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace virtseer::platform {

struct InitramfsModule {
  std::string name;
  std::string_view bytes;
};

/// The bytes of a gzip'd newc archive: the agent as /init and /virtseer-agent, empty mount points,
/// /dev/console, /lib/modules/NAME.ko and /lib/modules/order with their paths, one per line, in the
/// given order. The same input gives the same bytes.
Result<std::string> initramfs(std::string_view agent, const std::vector<InitramfsModule>& modules);

}  // namespace virtseer::platform

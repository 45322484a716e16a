#pragma once

#include "ebpf/child.h"

namespace virtseer::agent {

using virtseer::ebpf::endChild;
using virtseer::ebpf::forkChild;
using virtseer::ebpf::pauseMs;

}  // namespace virtseer::agent

#pragma once

#include <string>

namespace virtseer::ebpf {

/// A function of a library or program whose calls are counted.
struct Uprobe {
  std::string name;    ///< tells its calls apart
  std::string path;    ///< of the library or program
  std::string symbol;  ///< the function
};

}  // namespace virtseer::ebpf

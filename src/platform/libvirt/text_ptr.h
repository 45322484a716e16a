#pragma once

#include <cstdlib>
#include <memory>

namespace virtseer::platform {

struct FreeText {
  void operator()(char* text) const { std::free(text); }
};
/// A string that libvirt made.
using Text = std::unique_ptr<char, FreeText>;

}  // namespace virtseer::platform

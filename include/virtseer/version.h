#pragma once

namespace virtseer {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace virtseer

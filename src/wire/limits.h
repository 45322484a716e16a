#pragma once

#include <cstddef>

/// What is read at most; what is written stays within it.
namespace virtseer::wire {

inline constexpr std::size_t kBodyBytes = 32u << 20;      ///< of a host's state or an operation
inline constexpr std::size_t kOrderBytes = 16u << 20;     ///< with a VM's definition in it
inline constexpr std::size_t kSmallBodyBytes = 4u << 20;  ///< of all else
inline constexpr std::size_t kValues = 2'000'000;         ///< of JSON in a host's state
inline constexpr std::size_t kFewValues = 200'000;        ///< in all else
inline constexpr std::size_t kDepth = 16;
inline constexpr std::size_t kTextBytes = 64u << 10;
inline constexpr std::size_t kDefinitionBytes = 4u << 20;  ///< as libvirt's own protocol
inline constexpr std::size_t kItems = 10'000;              ///< of any list, VMs included
inline constexpr std::size_t kPaths = 1024;
inline constexpr std::size_t kSteps = 1024;
inline constexpr std::size_t kColumns = kItems + 1;  ///< of scenarios: VMs and the host's own
inline constexpr std::size_t kDemand = 4u << 20;     ///< paths x steps x columns

}  // namespace virtseer::wire

#pragma once

#include <cstdint>
#include <string>

namespace virtseer::ebpf {

/// What system calls are for.
enum class CallClass : std::uint8_t { read, write, network, file, memory, process, wait, other };
inline constexpr std::size_t kCallClasses = 8;

CallClass classOf(std::uint32_t number);
const char* nameOf(CallClass kind);

/// "read", or "syscall_999" for a number that has no name yet.
std::string callName(std::uint32_t number);

/// "ENOENT".
std::string errorName(int number);

}  // namespace virtseer::ebpf

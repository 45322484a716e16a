#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Readers of the kernel's small text files. Absent, unreadable and malformed are all "absent".
namespace virtseer::collect {

/// The first 256 KiB of a file.
std::optional<std::string> readText(const std::filesystem::path& file);

/// A file that holds one unsigned number; "max" and anything else is absent.
std::optional<std::uint64_t> readNumber(const std::filesystem::path& file);

/// Lines of "key value": /proc/meminfo (colons and units dropped), cpu.stat, memory.stat.
std::map<std::string, std::uint64_t, std::less<>> readTable(const std::filesystem::path& file);

/// How many CPUs a list such as "0-3,8,10-11" names; absent if it is empty or not such a list.
std::optional<std::uint32_t> cpusInList(std::string_view list);

/// Microseconds of a /proc/pressure file's line of this name ("some", "full") since boot.
std::optional<std::uint64_t> pressureTotal(std::string_view text, std::string_view line);

/// The words of `text`, cut at spaces, tabs and newlines.
std::vector<std::string_view> words(std::string_view text);

/// The whole of `text` as a number.
std::optional<std::uint64_t> number(std::string_view text);

}  // namespace virtseer::collect

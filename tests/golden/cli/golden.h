#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace golden {

/// A file of the source tree, by its path there.
inline std::string read(const std::string& path) {
  std::ifstream in(std::string(VIRTSEER_SOURCE_DIR) + "/" + path, std::ios::binary);
  INFO(path);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Writes instead of comparing where VIRTSEER_UPDATE_GOLDEN is set: look at the difference before
/// it is committed.
inline bool updating() {
  return std::getenv("VIRTSEER_UPDATE_GOLDEN") != nullptr;
}

inline void same(const std::string& path, const std::string& text) {
  if (updating())
    std::ofstream(std::string(VIRTSEER_SOURCE_DIR) + "/" + path, std::ios::binary) << text;
  INFO(path);
  CHECK(read(path) == text);
}

/// The part of a file between a line that holds `begin` and one that holds `end`, without those;
/// replaced where files are updated.
inline void samePart(const std::string& path, const std::string& begin, const std::string& end,
                     const std::string& text) {
  std::string whole = read(path);
  const auto start = whole.find(begin), stop = whole.find(end);
  REQUIRE(start != std::string::npos);
  REQUIRE(stop != std::string::npos);
  const auto first = whole.find('\n', start) + 1, last = whole.rfind('\n', stop) + 1;
  if (updating()) {
    whole.replace(first, last - first, text);
    std::ofstream(std::string(VIRTSEER_SOURCE_DIR) + "/" + path, std::ios::binary) << whole;
  } else {
    INFO(path);
    CHECK(whole.substr(first, last - first) == text);
  }
}

}  // namespace golden

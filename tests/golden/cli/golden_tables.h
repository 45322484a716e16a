#pragma once

#include <catch2/catch.hpp>
#include <sstream>
#include <string>

#include "base/result.h"
#include "cli/columns.h"
#include "golden/cli/golden.h"

namespace virtseer::cli {

inline std::string body(const std::string& name) {
  return golden::read("tests/golden/data/" + name);
}

/// What a person sees, against its file; nothing of it commands a terminal.
inline void compare(const std::string& name, const Result<std::string>& text) {
  REQUIRE(text.has_value());
  golden::same("tests/golden/data/" + name, *text);
  CHECK(text->find('\x1b') == std::string::npos);
}

/// A table whose last column has a bound fits a terminal of 100 columns.
inline void compareTable(const std::string& name, const Result<std::string>& text) {
  compare(name, text);
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    CHECK(displayWidth(line) <= 100);
  }
}

}  // namespace virtseer::cli

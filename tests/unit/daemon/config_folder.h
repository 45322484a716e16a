#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.h"

namespace virtseer {

/// A configuration folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "virtseer-config-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }
  LoadedConfig load(const std::string& text) const {
    return loadConfig(write("virtseer.toml", text));
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string allText(const std::vector<ConfigFault>& faults) {
  std::string out;
  for (const auto& fault : faults) out += text(fault) + "\n";
  return out;
}

inline const ConfigFault* faultOf(const LoadedConfig& loaded, std::string_view key) {
  const auto at = std::ranges::find(loaded.faults, key, &ConfigFault::key);
  return at == loaded.faults.end() ? nullptr : &*at;
}

}  // namespace virtseer

#include <catch2/catch.hpp>
#include <filesystem>
#include <regex>

#include "cli/invocation.h"
#include "daemon/config_keys.h"
#include "golden/cli/golden.h"

namespace virtseer::cli {
namespace {

std::string plain(std::string roff) {
  return std::regex_replace(roff, std::regex("\\\\-"), "-");
}

}  // namespace

TEST_CASE("the shipped configuration names every key with its default", "[golden]") {
  golden::same("config/virtseer.toml", configFile(Config{}, true));
}

TEST_CASE("the shipped configuration, uncommented, is the default and free of faults", "[golden]") {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "virtseer-golden-XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  const std::filesystem::path file = std::filesystem::path(pattern) / "virtseer.toml";
  const std::string shipped = golden::read("config/virtseer.toml");
  std::ofstream(file) << std::regex_replace(shipped, std::regex("(^|\n)#(?=[a-z])"), "$1");
  const auto loaded = loadConfig(file);
  std::filesystem::remove_all(pattern);
  for (const auto& fault : loaded.faults) UNSCOPED_INFO(text(fault));
  CHECK(loaded.faults.empty());
  CHECK(configFile(loaded.config, false) == configFile(Config{}, false));
}

TEST_CASE("the configuration's references tell what the program reads", "[golden]") {
  golden::samePart("docs/configuration.md", "<!-- keys", "<!-- end of keys", configMarkdown());
  golden::samePart("packaging/man/virtseer.toml.5", ".\\\" keys", ".\\\" end of keys",
                   configRoff());
}

TEST_CASE("every command and option stands in the manual and in the guide", "[golden]") {
  const std::string manual = plain(golden::read("packaging/man/virtseer.1"));
  const std::string guide = golden::read("docs/cli.md");
  for (const auto& [name, options] : commandNames()) {
    INFO(name);
    CHECK(manual.find(name) != std::string::npos);
    CHECK(guide.find("`virtseer" + (name.empty() ? "" : " " + name)) != std::string::npos);
    for (const std::string& option : options) {
      INFO(option);
      CHECK(manual.find(option) != std::string::npos);
      if (option != "--help") CHECK(guide.find(option) != std::string::npos);
    }
  }
}

}  // namespace virtseer::cli

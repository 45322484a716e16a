#include <fmt/format.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "daemon/config_keys.h"
#include "unit/daemon/config_folder.h"

namespace virtseer {
namespace {

std::string tokenIn(const Folder& folder, const std::string& name = "token") {
  const auto file = folder.write(name, "0123456789abcdef\n");
  ::chmod(file.c_str(), 0600);
  return file.string();
}

std::string peer(const std::string& name, const std::string& url, const std::string& token) {
  return fmt::format("[[peers]]\nname = \"{}\"\nurl = \"{}\"\ntoken_file = \"{}\"\n", name, url,
                     token);
}

std::string messageOf(const LoadedConfig& loaded, std::string_view key) {
  const auto* fault = faultOf(loaded, key);
  return fault ? fault->message : "none";
}

}  // namespace

TEST_CASE("rules of policy are read in order, for UUIDs and for names", "[config]") {
  const Folder folder;
  folder.write("conf.d/10-more.toml", "[[policy.rules]]\nvm = \"web-?\"\nexcluded = true\n");
  const auto loaded = folder.load(
      "[policy]\nmode = \"suggest\"\n"
      "[[policy.rules]]\nvm = \"db-*\"\nmode = \"observe\"\npriority = 80\n"
      "[[policy.rules]]\nvm = \"6f1ed002-ab59-4b20-a3f7-0a4a5d5e6b7c\"\nmigrate = false\n"
      "copy_storage = true\nreturn_trip = false\nunlocked_disks = true\n");
  REQUIRE(allText(loaded.faults) == "");
  const auto& rules = loaded.config.policy.rules;
  REQUIRE(rules.size() == 3);
  CHECK(rules[0].name_pattern == "db-*");
  CHECK_FALSE(rules[0].vm);
  CHECK(rules[0].set.mode == Mode::observe);
  CHECK(rules[0].set.priority == 80);
  CHECK_FALSE(rules[0].set.migrate);
  CHECK(rules[1].vm == Uuid::parse("6f1ed002-ab59-4b20-a3f7-0a4a5d5e6b7c"));
  CHECK(rules[1].name_pattern.empty());
  CHECK(rules[1].set.migrate == false);
  CHECK(rules[1].set.copy_storage == true);
  CHECK(rules[1].set.return_trip == false);
  CHECK(rules[1].set.unlocked_disks == true);
  CHECK(rules[2].name_pattern == "web-?");
  CHECK(rules[2].set.excluded == true);
  CHECK(loaded.config.policy.defaults.mode == Mode::suggest);
  CHECK_FALSE(loaded.config.policy.defaults.priority);
}

TEST_CASE("peers of all files are put one behind the other", "[config]") {
  const Folder folder;
  const auto token = tokenIn(folder);
  folder.write("conf.d/20-gamma.toml", peer("gamma", "http://[::1]:8688", token));
  const auto loaded = folder.load(peer("beta", "http://beta.example:8687", token) +
                                  "migration_uri = \"qemu+tcp://192.0.2.2/system\"\n");
  REQUIRE(allText(loaded.faults) == "");
  REQUIRE(loaded.config.peers.size() == 2);
  CHECK(loaded.config.peers[0].name == "beta");
  CHECK(loaded.config.peers[0].url == "http://beta.example:8687");
  CHECK(loaded.config.peers[0].token_file == token);
  CHECK(loaded.config.peers[0].migration_uri == "qemu+tcp://192.0.2.2/system");
  CHECK(loaded.config.peers[1].name == "gamma");
  CHECK(loaded.config.peers[1].migration_uri.empty());
}

TEST_CASE("lists are shown as they read back", "[config]") {
  const Folder folder;
  const auto token = tokenIn(folder);
  const auto first = folder.load(
      "[policy]\npriority = 10\n[[policy.rules]]\nvm = \"a\\\"b*\"\nmode = \"auto\"\n"
      "[[policy.rules]]\nvm = \"6f1ed002-ab59-4b20-a3f7-0a4a5d5e6b7c\"\nexcluded = true\n" +
      peer("beta", "http://192.0.2.2:8686", token));
  REQUIRE(allText(first.faults) == "");
  const auto second = folder.load(configFile(first.config, false));
  CHECK(allText(second.faults) == "");
  CHECK(second.config.policy.rules == first.config.policy.rules);
  REQUIRE(second.config.peers.size() == 1);
  CHECK(second.config.peers[0].url == "http://192.0.2.2:8686");
  CHECK(configFile(second.config, false) == configFile(first.config, false));
}

TEST_CASE("a fault within a list names file, line and key", "[config]") {
  const Folder folder;
  const auto main = folder.write("virtseer.toml",
                                 "[[policy.rules]]\n"
                                 "mode = \"sugest\"\n"
                                 "priority = 101\n"
                                 "migrate = \"no\"\n"
                                 "[[peers]]\n"
                                 "nam = \"beta\"\n"
                                 "url = \"https://beta:8686\"\n"
                                 "token_file = \"beta.token\"\n");
  const auto loaded = loadConfig(main);
  const auto told = allText(loaded.faults);
  const auto file = main.string();
  CHECK(told.find(file + ":1: policy.rules.vm: is missing: UUID, or pattern") != std::string::npos);
  CHECK(told.find(file + ":2: policy.rules.mode: \"sugest\": must be observe, suggest or auto\n") !=
        std::string::npos);
  CHECK(told.find(file + ":3: policy.rules.priority: is out of range with the whole number 101; "
                         "must be: whole number, 0 to 100\n") != std::string::npos);
  CHECK(told.find(file + ":4: policy.rules.migrate: is \"no\"; must be: true or false\n") !=
        std::string::npos);
  CHECK(told.find(file + ":5: peers.name: is missing: text\n") != std::string::npos);
  CHECK(told.find(file + ":6: peers.nam: unknown key; did you mean peers.name?\n") !=
        std::string::npos);
  CHECK(told.find(file + ":7: peers.url: \"https://beta:8686\": must be http://HOST:PORT") !=
        std::string::npos);
  CHECK(told.find(file + ":8: peers.token_file: \"beta.token\": must be an absolute path") !=
        std::string::npos);
  CHECK(loaded.faults.size() == 8);
}

TEST_CASE("what is no list of tables is told so, and the right name is near", "[config]") {
  const Folder folder;
  CHECK(messageOf(folder.load("[peers]\nname = \"beta\"\n"), "peers") ==
        "is a section; it must be tables: [[peers]]");
  CHECK(messageOf(folder.load("peers = [\"beta\"]\n"), "peers") ==
        "is a list of other things; it must be tables: [[peers]]");
  CHECK(messageOf(folder.load("[policy]\nrules = 3\n"), "policy.rules") ==
        "is something else; it must be tables: [[policy.rules]]");
  CHECK(messageOf(folder.load("[[peer]]\nname = \"beta\"\n"), "peer") ==
        "unknown key; did you mean peers?");
  CHECK(messageOf(folder.load("[[policy.rule]]\nvm = \"a\"\n"), "policy.rule") ==
        "unknown key; did you mean policy.rules?");
  CHECK(folder.load("peers = []\n").faults.empty());
}

TEST_CASE("a list has a bound", "[config]") {
  const Folder folder;
  std::string text;
  for (int i = 0; i < 1001; ++i) text += "[[policy.rules]]\nvm = \"a\"\n";
  const auto loaded = folder.load(text);
  REQUIRE(loaded.faults.size() == 1);
  CHECK(loaded.faults[0].line == 2001);
  CHECK(loaded.faults[0].message == "are more than 1000");
  CHECK(loaded.config.policy.rules.size() == 1000);
}

TEST_CASE("a peer stands there once, and is not this host", "[config]") {
  const Folder folder;
  const auto token = tokenIn(folder);
  folder.write("conf.d/10-twice.toml", peer("beta", "http://192.0.2.3:8686", token));
  const auto loaded =
      folder.load("[host]\nname = \"alpha\"\n" + peer("beta", "http://192.0.2.2:8686", token) +
                  peer("gamma", "http://192.0.2.2:8686", token) +
                  peer("alpha", "http://192.0.2.4:8686", token));
  REQUIRE(loaded.faults.size() == 3);
  CHECK(loaded.faults[0].line == 9);
  CHECK(loaded.faults[0].key == "peers.url");
  CHECK(loaded.faults[0].message == "is that of the peer beta already");
  CHECK(loaded.faults[1].line == 12);
  CHECK(loaded.faults[1].message == "alpha is this host itself: host.name");
  CHECK(std::filesystem::path(loaded.faults[2].file).filename() == "10-twice.toml");
  CHECK(loaded.faults[2].line == 2);
  CHECK(loaded.faults[2].message == "there is a peer beta already");
}

TEST_CASE("a migration URI leads to a host and a port", "[config]") {
  const Folder folder;
  const auto token = tokenIn(folder);
  const auto load = [&](const std::string& uri) {
    return folder.load(peer("beta", "http://192.0.2.2:8686", token) + "migration_uri = \"" + uri +
                       "\"\n");
  };
  for (const std::string good :
       {"", "qemu+tls://beta/system", "qemu://beta/system", "qemu+tcp://[2001:db8::2]:1/system",
        "qemu+ssh://root@beta/system", "xen+tls://beta:16514/"}) {
    INFO(good);
    CHECK(allText(load(good).faults) == "");
  }
  for (const std::string bad : {"qemu:///system", "qemu+unix:///system", "qemu+unix://beta/system",
                                "qemu+tcp://beta:0/system", "qemu+tls://", "beta"}) {
    INFO(bad);
    CHECK(messageOf(load(bad), "peers.migration_uri") ==
          "\"" + bad +
              "\": must be a libvirt URI that names a host and a transport with a port: "
              "qemu+tls://HOST/system, or with tcp or ssh in place of tls");
  }
}

TEST_CASE("the token of a peer is a secret too", "[config]") {
  const Folder folder;
  const auto token = tokenIn(folder);
  ::chmod(token.c_str(), 0644);
  const auto open = folder.load(peer("beta", "http://192.0.2.2:8686", token));
  REQUIRE(open.faults.size() == 1);
  CHECK(open.faults[0].key == "peers.token_file");
  CHECK(open.faults[0].line == 4);
  CHECK(open.faults[0].message.find("open to everybody") != std::string::npos);
}

TEST_CASE("the address of a peer is http, with a port", "[config]") {
  const Folder folder;
  const auto token = tokenIn(folder);
  for (const char* good : {"http://beta:1", "http://192.0.2.2:65535", "http://[fd00::2]:8686"}) {
    INFO(good);
    CHECK(allText(folder.load(peer("beta", good, token)).faults) == "");
  }
  for (const char* bad :
       {"beta:8686", "http://beta", "http://beta:0", "http://beta:65536", "http://beta:8686/",
        "http://:8686", "http://user@beta:8686", "http://be ta:8686", "http://fd00::2:8686",
        "http://", "http://-x~y,:1", "http://beta:+1"}) {
    INFO(bad);
    CHECK(folder.load(peer("beta", bad, token)).faults.size() == 1);
  }
}

TEST_CASE("horizons rise and are at least six steps long", "[config]") {
  const Folder folder;
  const auto horizons = [&](const std::string& list, const std::string& step = "5s") {
    return messageOf(
        folder.load(fmt::format("[forecast]\nstep = \"{}\"\nhorizons = {}\n", step, list)),
        "forecast.horizons");
  };
  CHECK(horizons("[\"30s\"]") == "none");
  CHECK(horizons("[\"6s\", \"1m\"]", "1s") == "none");
  CHECK(horizons("[\"29s\"]") ==
        "29s is shorter than 6 steps of 5s: lower forecast.step, or look further ahead");
  CHECK(horizons("[\"1h\", \"15m\"]") == "must rise from one to the next");
  CHECK(horizons("[\"15m\", \"15m\"]") == "must rise from one to the next");
  CHECK(horizons("[]").starts_with("has 0 elements"));
  CHECK(horizons("[\"1m\", \"2m\", \"3m\", \"4m\", \"5m\"]").starts_with("has 5 elements"));
  CHECK(horizons("[\"1m\", \"8d\"]").starts_with("\"8d\": must be durations of 1s to 7d"));
  CHECK(horizons("[\"soon\"]").starts_with("\"soon\": must be durations"));
}

TEST_CASE("three echoes fit into the time in which an agent must be heard after a move",
          "[config]") {
  const Folder folder;
  std::string peers;
  const auto interval = [&](const std::string& interval, const std::string& echo_back) {
    return messageOf(
        folder.load(fmt::format("[echo]\ninterval = \"{}\"\n[migration]\necho_back = \"{}\"\n",
                                interval, echo_back) +
                    peers),
        "echo.interval");
  };
  CHECK(interval("10m", "15s") == "none");  // nothing moves without peers
  peers = peer("b", "http://10.0.0.2:8686", tokenIn(folder));
  CHECK(interval("5s", "15s") == "none");
  CHECK(interval("200s", "10m") == "none");
  CHECK(interval("5001ms", "15s") != "none");
  CHECK(
      interval("30s", "15s") ==
      "30s is longer than a third of migration.echo_back, 15s: a VM that does well would be taken "
      "for silent after each move; lower it, or raise migration.echo_back");
}

TEST_CASE("rules of planning that contradict each other are told by name", "[config]") {
  const Folder folder;
  const auto limit = folder.load("[plan]\nthreshold = 0.3\ntarget_limit = 0.4\n");
  REQUIRE(limit.faults.size() == 1);
  CHECK(limit.faults[0].key == "plan.target_limit");
  CHECK(limit.faults[0].line == 3);
  const auto cooldown = folder.load("[plan]\ncooldown_longest = \"1m\"\n");
  REQUIRE(cooldown.faults.size() == 1);
  CHECK(cooldown.faults[0].key == "plan.cooldown_longest");
  CHECK(folder.load("[policy]\nmode = \"auto\"\n").faults.empty());
}

TEST_CASE("truth values are true and false, nothing else", "[config]") {
  const Folder folder;
  for (const char* bad : {"\"true\"", "1", "\"yes\"", "[]"}) {
    INFO(bad);
    CHECK(folder.load(fmt::format("[policy]\nstop = {}\n", bad)).faults.size() == 1);
  }
  CHECK(messageOf(folder.load("[host]\ncpus = true\n"), "host.cpus").starts_with("is true; "));
}

TEST_CASE("every list tells what it is for, with an example that fits", "[config]") {
  const Folder folder;
  for (const ConfigList& list : configLists()) {
    INFO(list.name);
    CHECK_FALSE(list.sentence.empty());
    const auto loaded = folder.load(fmt::format("[[{}]]\n{}", list.name, list.example));
    for (const auto& fault : loaded.faults)
      CHECK(fault.key == "peers.token_file");  // the file of the example is not there
    CHECK(list.size(loaded.config) == 1);
  }
}

}  // namespace virtseer

#include "daemon/config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "daemon/config_keys.h"
#include "daemon/config_size.h"
#include "unit/daemon/config_folder.h"

namespace virtseer {
TEST_CASE("an empty file is the default configuration", "[config]") {
  const Folder folder;
  const auto loaded = folder.load("");
  CHECK(allText(loaded.faults) == "");
  CHECK(configFile(loaded.config, false) == configFile(Config{}, false));
}

TEST_CASE("every key is read from the file into its own place", "[config]") {
  const Folder folder;
  const auto token = folder.write("token", "a-secret-of-16-b\n");
  ::chmod(token.c_str(), 0640);
  const auto loaded = folder.load(fmt::format(R"(
[log]
level = "debug"
[state]
directory = "/srv/virtseer"
[libvirt]
uris = ["qemu:///session", "lxc:///"]
interval = "1s"
call_deadline = "250ms"
balloon_period = "2s"
[echo]
interval = "2s"
max_faults = 4
max_frames_per_second = 9
retry = "500ms"
listen_vsock = 8687
tokens = "/srv/tokens"
max_clients = 12
[host]
name = "alpha"
cpus = 1.5
memory = "2GiB"
reserve_cpus = 0.25
reserve_memory = 1048576
cgroup = "lab/A"
disk_locks = "yes"
interval = "7s"
[api]
socket = "/tmp/v.sock"
listen = "[::1]:8686"
token_file = "{}"
allowed_hosts = ["alpha.example"]
max_connections = 8
max_body = "8KiB"
request_deadline = "1m"
[store]
sync = "100ms"
rows_per_chunk = 60
cache = "4MiB"
max_unwritten = "8MiB"
[forecast]
step = "1s"
horizons = ["1m", "4m", "1h"]
[policy]
mode = "auto"
excluded = true
priority = 70
migrate = false
copy_storage = true
return_trip = false
unlocked_disks = true
stop = true
[plan]
round = "1s"
threshold = 0.6
act_within = "5m"
target_limit = 0.1
margin = 0.25
hold_rounds = 4
quiet_rounds = 0
settle = "10s"
cooldown = "5m"
cooldown_longest = "2h"
in_flight = 3
in_flight_per_host = 2
per_hour = 12
contended_share = 0.2
contended_rounds = 5
[migration]
watch = "20s"
echo_back = "6s"
stall = "30s"
downtime_limit = "500ms"
bandwidth = "100MiB"
at_once = 1
)",
                                              token.string()));
  REQUIRE(allText(loaded.faults) == "");
  const Config& config = loaded.config;
  CHECK(config.log.level == "debug");
  CHECK(config.state.directory == "/srv/virtseer");
  CHECK(config.libvirt.uris == std::vector<std::string>{"qemu:///session", "lxc:///"});
  CHECK(config.libvirt.interval == Millis(1000));
  CHECK(config.libvirt.call_deadline == Millis(250));
  CHECK(config.libvirt.balloon_period_s == 2);
  CHECK(config.echo.interval == Millis(2000));
  CHECK(config.echo.max_faults == 4);
  CHECK(config.echo.max_frames_per_second == 9);
  CHECK(config.echo.retry == Millis(500));
  CHECK(config.echo.listen_vsock == 8687);
  CHECK(config.echo.tokens == "/srv/tokens");
  CHECK(config.echo.max_clients == 12);
  CHECK(config.host.name == "alpha");
  CHECK(config.host.cpus == 1.5);
  CHECK(config.host.memory_bytes == 2ull << 30);
  CHECK(config.host.reserve_cpus == 0.25);
  CHECK(config.host.reserve_memory_bytes == 1 << 20);
  CHECK(config.host.cgroup == "lab/A");
  CHECK(config.host.disk_locks == "yes");
  CHECK(diskLocks(config) == true);
  CHECK(config.host.interval == Millis(7000));
  CHECK(config.api.socket == "/tmp/v.sock");
  CHECK(config.api.listen == "[::1]:8686");
  CHECK(config.api.token_file == token);
  CHECK(config.api.allowed_hosts == std::vector<std::string>{"alpha.example"});
  CHECK(config.api.max_connections == 8);
  CHECK(config.api.max_body_bytes == 8192);
  CHECK(config.api.request_deadline == Millis(60000));
  CHECK(config.store.sync == Millis(100));
  CHECK(config.store.rows_per_chunk == 60);
  CHECK(config.store.cache_bytes == 4 << 20);
  CHECK(config.store.max_unwritten_bytes == 8 << 20);
  CHECK(config.forecast.step == Millis(1000));
  CHECK(config.forecast.horizons ==
        std::vector<Millis>{Millis(60'000), Millis(240'000), Millis(3'600'000)});
  CHECK(config.policy.defaults == PolicyOverrides{.mode = Mode::automatic,
                                                  .excluded = true,
                                                  .priority = 70,
                                                  .migrate = false,
                                                  .copy_storage = true,
                                                  .return_trip = false,
                                                  .unlocked_disks = true});
  CHECK(config.policy.stop);
  CHECK(config.plan.round == Millis(1000));
  CHECK(config.plan.threshold == 0.6);
  CHECK(config.plan.act_within == Millis(300'000));
  CHECK(config.plan.target_limit == 0.1);
  CHECK(config.plan.margin == 0.25);
  CHECK(config.plan.hold_rounds == 4);
  CHECK(config.plan.quiet_rounds == 0);
  CHECK(config.plan.settle == Millis(10'000));
  CHECK(config.plan.cooldown == Millis(300'000));
  CHECK(config.plan.cooldown_longest == Millis(7'200'000));
  CHECK(config.plan.in_flight == 3);
  CHECK(config.plan.in_flight_per_host == 2);
  CHECK(config.plan.per_hour == 12);
  CHECK(config.plan.contended_share == 0.2);
  CHECK(config.plan.contended_rounds == 5);
  CHECK(config.migration.watch == Millis(20'000));
  CHECK(config.migration.echo_back == Millis(6000));
  CHECK(config.migration.stall == Millis(30'000));
  CHECK(config.migration.downtime_limit == Millis(500));
  CHECK(config.migration.bandwidth_bytes_per_s == 100u << 20);
  CHECK(config.migration.at_once == 1);
}

TEST_CASE("TLS for agents needs a certificate and a key that others cannot read", "[config]") {
  const Folder folder;
  const std::string listen = "[echo]\nlisten_tls = \"127.0.0.1:8687\"\n";
  const auto bare = folder.load(listen);
  REQUIRE(bare.faults.size() == 2);
  CHECK(bare.faults[0].key == "echo.tls_certificate");
  CHECK(bare.faults[1].key == "echo.tls_key");
  const auto missing =
      folder.load(listen + "tls_certificate = \"/none.pem\"\ntls_key = \"/none.key\"\n");
  REQUIRE(missing.faults.size() == 1);
  CHECK(missing.faults[0].message.find("/none.pem: no certificate") != std::string::npos);
}

TEST_CASE("whether disks are guarded is said, or looked for", "[config]") {
  const Folder folder;
  const auto said = [&](const std::string& value) {
    const auto loaded = folder.load("[host]\ndisk_locks = " + value + "\n");
    REQUIRE(allText(loaded.faults) == "");
    return diskLocks(loaded.config);
  };
  CHECK_FALSE(diskLocks(Config{}));
  CHECK_FALSE(said("\"detect\""));
  CHECK(said("\"yes\"") == true);
  CHECK(said("\"no\"") == false);
  for (const auto* wrong : {"\"maybe\"", "\"\"", "true"}) {
    INFO(wrong);
    const auto loaded = folder.load(std::string("[host]\ndisk_locks = ") + wrong + "\n");
    CHECK(allText(loaded.faults).find("detect, yes or no") != std::string::npos);
  }
}

TEST_CASE("what is shown as the configuration reads back as the same", "[config]") {
  const Folder folder;
  Config config;
  config.host.name = "beta";
  config.host.cpus = 0.75;
  config.host.memory_bytes = (3ull << 30) + 1;
  config.libvirt.uris = {"test:///a?x=\"y\"\\z"};
  config.libvirt.interval = Millis(1500);
  const auto loaded = folder.load(configFile(config, false));
  CHECK(allText(loaded.faults) == "");
  CHECK(configFile(loaded.config, false) == configFile(config, false));
}

TEST_CASE("all faults are told at once, each with file, line and key", "[config]") {
  const Folder folder;
  const auto main = folder.write("virtseer.toml",
                                 "[log]\n"
                                 "level = \"loud\"\n"
                                 "[libvrit]\n"
                                 "interval = \"5s\"\n"
                                 "[libvirt]\n"
                                 "intervall = \"5s\"\n"
                                 "interval = 5\n"
                                 "uris = [\"qemu:///system\", 7]\n"
                                 "[echo]\n"
                                 "max_frames_per_second = 0\n"
                                 "max_faults = 2.5\n"
                                 "retry = \"5 s\"\n"
                                 "[host]\n"
                                 "cpus = true\n"
                                 "memory = \"2GB\"\n");
  const auto drop_in = folder.write("conf.d/10-broken.toml", "[api]\nlisten = \n");
  const auto second = folder.write("conf.d/20-more.toml", "store = 3\n");
  const auto loaded = loadConfig(main);
  const auto place = [&](std::string_view key) {
    const auto* fault = faultOf(loaded, key);
    return fault ? fmt::format("{}:{}", std::filesystem::path(fault->file).filename().string(),
                               fault->line)
                 : "none";
  };
  CHECK(place("log.level") == "virtseer.toml:2");
  CHECK(place("libvrit") == "virtseer.toml:3");
  CHECK(place("libvirt.intervall") == "virtseer.toml:6");
  CHECK(place("libvirt.interval") == "virtseer.toml:7");
  CHECK(place("libvirt.uris") == "virtseer.toml:8");
  CHECK(place("echo.max_frames_per_second") == "virtseer.toml:10");
  CHECK(place("echo.max_faults") == "virtseer.toml:11");
  CHECK(place("echo.retry") == "virtseer.toml:12");
  CHECK(place("host.cpus") == "virtseer.toml:14");
  CHECK(place("host.memory") == "virtseer.toml:15");
  CHECK(place("") == "10-broken.toml:2");
  CHECK(place("store") == "20-more.toml:1");
  CHECK(loaded.faults.size() == 12);
  CHECK(text(*faultOf(loaded, "libvirt.intervall")) ==
        main.string() + ":6: libvirt.intervall: unknown key; did you mean libvirt.interval?");
  CHECK(faultOf(loaded, "libvrit")->message == "unknown section; did you mean libvirt?");
  CHECK(faultOf(loaded, "host.memory")->message ==
        "is \"2GB\"; must be: size or \"auto\", 1MiB to 1024TiB");
}

TEST_CASE("a key in the wrong section is led to the right one", "[config]") {
  CHECK(nearestName("libvirt.sync") == "store.sync");
  CHECK(nearestName("api.sokcet") == "api.socket");
  CHECK(nearestName("stroe") == "store");
  CHECK(nearestName("database.password") == "");
  CHECK(nearestName(std::string(100000, 'x')) == "");
}

TEST_CASE("files in conf.d replace what stands before them, in order of their names", "[config]") {
  const Folder folder;
  folder.write("conf.d/20-b.toml", "[host]\nname = \"last\"\n");
  folder.write("conf.d/10-a.toml", "[host]\nname = \"first\"\n[echo]\ninterval = \"1s\"\n");
  folder.write("conf.d/30-c.toml.orig", "nonsense");
  const auto loaded = folder.load("[host]\nname = \"main\"\ninterval = \"9s\"\n");
  CHECK(allText(loaded.faults) == "");
  CHECK(loaded.config.host.name == "last");
  CHECK(loaded.config.host.interval == Millis(9000));
  CHECK(loaded.config.echo.interval == Millis(1000));
}

TEST_CASE("a file that is missing, a folder or too large is one fault", "[config]") {
  const Folder folder;
  const auto missing = loadConfig(folder.path() / "none.toml");
  REQUIRE(missing.faults.size() == 1);
  CHECK(text(missing.faults[0]) ==
        (folder.path() / "none.toml").string() + ": there is no such file");
  CHECK(loadConfig(folder.path()).faults.at(0).message == "is not a file");
  CHECK(folder.load(std::string((1 << 20) + 1, '#')).faults.at(0).message ==
        "is larger than 1 MiB");
}

TEST_CASE("a TCP address needs a token unless it is loopback", "[config]") {
  const Folder folder;
  CHECK(folder.load("[api]\nlisten = \"127.0.0.1:8686\"\n").faults.empty());
  const auto open = folder.load("[api]\nlisten = \"192.0.2.1:8686\"\n");
  REQUIRE(open.faults.size() == 1);
  CHECK(open.faults[0].line == 2);
  for (const char* bad : {"localhost:8686", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536",
                          "::1:8686", "[127.0.0.1]:1"}) {
    INFO(bad);
    CHECK(folder.load(fmt::format("[api]\nlisten = \"{}\"\n", bad)).faults.size() == 1);
  }
}

TEST_CASE("a token file that others can read is refused", "[config]") {
  const Folder folder;
  const auto token = folder.write("token", "0123456789abcdef\n");
  const auto key = fmt::format("[api]\ntoken_file = \"{}\"\n", token.string());
  ::chmod(token.c_str(), 0644);
  const auto open = folder.load(key);
  REQUIRE(open.faults.size() == 1);
  CHECK(open.faults[0].message.find("open to everybody") != std::string::npos);
  ::chmod(token.c_str(), 0600);
  CHECK(folder.load(key).faults.empty());
  folder.write("token", "short\n");
  CHECK(folder.load(key).faults.size() == 1);
  std::filesystem::remove(token);
  CHECK(folder.load(key).faults.size() == 1);
}

TEST_CASE("a hostile file reaches the terminal as letters only", "[config]") {
  const Folder folder;
  const auto loaded = folder.load("\"\\u001b[2J\" = 1\n[log]\nlevel = \"\\u001b]0;x\\u0007\"\n");
  REQUIRE(loaded.faults.size() == 2);
  CHECK(allText(loaded.faults).find('\x1b') == std::string::npos);
}

TEST_CASE("deeply nested and broken texts are faults, not crashes", "[config]") {
  const Folder folder;
  CHECK_FALSE(folder.load("x = " + std::string(100000, '[')).faults.empty());
  CHECK_FALSE(folder.load(std::string("\xff\xfe\x00", 3)).faults.empty());
  CHECK_FALSE(folder.load("[log]\nlevel = \"info\"\nlevel = \"info\"\n").faults.empty());
}

TEST_CASE("every default lies within its own range", "[config]") {
  for (const ConfigKey& key : configKeys()) {
    INFO(key.name);
    CHECK_FALSE(key.sentence.empty());
    CHECK(key.least <= key.most);
  }
}

TEST_CASE("sizes and durations are written as they are read", "[config]") {
  CHECK(parseSize("16MiB") == 16u << 20);
  CHECK(parseSize("0") == 0u);
  CHECK(parseSize("17179869183GiB") == 17179869183ull << 30);
  CHECK_FALSE(parseSize("17179869184GiB"));
  CHECK_FALSE(parseSize("-1"));
  CHECK_FALSE(parseSize("1 MiB"));
  CHECK_FALSE(parseSize("1MB"));
  CHECK_FALSE(parseSize(""));
  CHECK(sizeText(1536) == "1536");
  CHECK(sizeText(2048) == "2KiB");
  CHECK(sizeText(0) == "0");
  CHECK(durationText(Millis(90'000)) == "90s");
  CHECK(durationText(Millis(86'400'000)) == "1d");
  CHECK(durationText(Millis(1500)) == "1500ms");
}

}  // namespace virtseer

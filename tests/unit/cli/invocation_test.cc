#include "cli/invocation.h"

#include <catch2/catch.hpp>

#include "virtseer/api/exit_codes.h"
#include "virtseer/version.h"

namespace virtseer::cli {
namespace {

template <class T>
T command(std::vector<std::string> arguments) {
  auto parsed = parse(std::move(arguments));
  INFO(parsed.err);
  REQUIRE(parsed.invocation.has_value());
  return std::get<T>(parsed.invocation->command);
}

}  // namespace

TEST_CASE("options of the program may stand before and after the command", "[invocation]") {
  const auto before = parse({"--socket", "/tmp/x.sock", "--output", "json", "vms"});
  const auto after = parse({"vms", "--gone", "--socket", "/tmp/x.sock", "--output=json"});
  REQUIRE(before.invocation.has_value());
  REQUIRE(after.invocation.has_value());
  CHECK(before.invocation->connection.socket == "/tmp/x.sock");
  CHECK(after.invocation->connection.socket == "/tmp/x.sock");
  CHECK(before.invocation->output == Output::json);
  CHECK(after.invocation->output == Output::json);
  CHECK_FALSE(std::get<ShowVms>(before.invocation->command).gone);
  CHECK(std::get<ShowVms>(after.invocation->command).gone);
}

TEST_CASE("each command takes its own options", "[invocation]") {
  CHECK(command<RunDaemon>({"daemon"}).config == kDefaultConfig);
  CHECK(command<RunDaemon>({"daemon", "--config", "x.toml"}).config == "x.toml");
  CHECK(command<ShowVm>({"vm", "web 1"}).name == "web 1");
  CHECK(command<CheckConfig>({"config", "check", "y.toml"}).file == "y.toml");
  CHECK(command<ShowConfig>({"config", "show"}).file == kDefaultConfig);
  const auto series = command<ShowSeries>({"series", "web", "guest_load1", "--from", "-15m", "--to",
                                           "now", "--step", "1m", "--aggregation", "p95", "--label",
                                           "a=b", "--label", "c=d=e", "--source", "guest"});
  CHECK(series.name == "web");
  CHECK(series.metric == "guest_load1");
  CHECK(series.from == "-15m");
  CHECK(series.labels == std::vector<std::string>{"a=b", "c=d=e"});
  const auto events = command<ShowEvents>({"events", "--vm", "web", "--severity", "warning",
                                           "--limit", "5", "--before", "18446744073709551615"});
  CHECK(events.vm == "web");
  CHECK(events.limit == 5u);
  CHECK(events.before == UINT64_MAX);
  const auto load = command<OrderLoad>({"load", "web", "--cpu", "0.5", "--memory", "64MiB",
                                        "--disk", "1MiB", "--ramp", "5s", "--for", "1m"});
  CHECK(load.cpu_cores == 0.5);
  CHECK(load.memory_bytes == 64u << 20);
  CHECK(load.disk_bytes_per_second == 1u << 20);
  CHECK(load.ramp == Millis(5000));
  CHECK(load.duration == Millis(60000));
  CHECK(command<OrderLoad>({"load", "web", "--stop"}).duration == Millis(0));
  CHECK(command<ShowVm>({"vm", "web", "--echo"}).echo);
  CHECK(command<ShowTop>({"top", "web", "--at", "15m"}).table == "processes");
  const auto collection = command<ShowCollection>(
      {"collection", "web", "--interval", "1s", "--collectors", "cpu,disk"});
  CHECK(collection.interval == Millis(1000));
  CHECK(collection.collectors == std::vector<std::string>{"cpu", "disk"});
  CHECK_FALSE(collection.top);
  const auto build = command<BuildAppliance>(
      {"appliance", "build", "--kernel", "k.deb", "--directory", "out", "--agent", "a"});
  CHECK(build.kernel == "k.deb");
  CHECK(build.directory == "out");
  CHECK(build.agent == "a");
}

TEST_CASE("commands that decide and act take their own options", "[invocation]") {
  CHECK(command<ShowForecast>({"forecast", "web"}).vm == "web");
  command<ShowPlan>({"plan"});
  CHECK(command<RankHosts>({"rank", "web"}).vm == "web");
  CHECK(command<Explain>({"explain", "p-1/2"}).id == "p-1/2");
  const auto plain = command<MigrateVm>({"migrate", "web"});
  CHECK(plain.vm == "web");
  CHECK(plain.to.empty());
  CHECK_FALSE((plain.dry_run || plain.copy_storage || plain.wait));
  CHECK_FALSE(plain.timeout);
  const auto dry = command<MigrateVm>({"migrate", "web", "beta", "--dry-run", "--copy-storage"});
  CHECK(dry.to == "beta");
  CHECK((dry.dry_run && dry.copy_storage));
  const auto waited = command<MigrateVm>({"migrate", "web", "--wait", "--timeout", "5m"});
  CHECK(waited.wait);
  CHECK(waited.timeout == Millis(300'000));
  const auto list =
      command<ShowOperations>({"operations", "--active", "--vm", "web", "--limit", "3"});
  CHECK(list.active);
  CHECK(list.vm == "web");
  CHECK(list.limit == 3u);
  CHECK(command<ShowOperation>({"operation", "m-1"}).id == "m-1");
  CHECK(command<AbortOperation>({"abort", "m-1"}).id == "m-1");
  CHECK_FALSE(command<AbortOperation>({"abort", "m-1"}).fenced);
  CHECK(command<AbortOperation>({"abort", "m-1", "--fenced"}).fenced);
  CHECK(command<ShowPolicy>({"policy", "show", "web"}).vm == "web");
  CHECK(command<SetMaintenance>({"maintenance", "beta", "on"}).on);
  CHECK_FALSE(command<SetMaintenance>({"maintenance", "beta", "off"}).on);
  CHECK_FALSE(command<Automate>({"automation"}).on);
  CHECK(command<Automate>({"automation", "on"}).on == true);
  CHECK(command<Automate>({"automation", "off"}).on == false);
}

TEST_CASE("the output format of the program and the folder of the appliance do not mix",
          "[invocation]") {
  const auto parsed = parse({"appliance", "build", "--directory", "dir", "--output", "json"});
  REQUIRE(parsed.invocation.has_value());
  CHECK(parsed.invocation->output == Output::json);
  CHECK(std::get<BuildAppliance>(parsed.invocation->command).directory == "dir");
  CHECK(parse({"appliance", "build", "--output", "dir"}).exit_code == api::kUsage);
}

TEST_CASE("wrong usage is told and returns the code for it", "[invocation]") {
  const std::vector<std::vector<std::string>> wrong{
      {},
      {"nonsense"},
      {"vm"},
      {"vms", "--nonsense"},
      {"vms", "extra"},
      {"--output", "xml", "vms"},
      {"--token-file", "t", "vms"},
      {"series", "web", "m", "--step", "5"},
      {"series", "web", "m", "--from", "yesterday"},
      {"series", "web", "m", "--aggregation", "median"},
      {"series", "web", "m", "--label", "novalue"},
      {"events", "--limit", "0"},
      {"events", "--severity", "fatal"},
      {"events", "--before", "yesterday"},
      {"events", "--before", "-1"},
      {"events", "--before", "18446744073709551616"},
      {"load", "web"},
      {"load", "web", "--cpu", "1"},
      {"load", "web", "--cpu", "-1", "--for", "5s"},
      {"load", "web", "--memory", "1GB", "--for", "5s"},
      {"load", "web", "--ramp", "9s", "--for", "5s"},
      {"load", "web", "--stop", "--cpu", "1"},
      {"config"},
      {"appliance"},
      {"forecast"},
      {"rank"},
      {"explain", ""},
      {"migrate"},
      {"migrate", "web", "beta", "gamma"},
      {"migrate", "web", "--timeout", "5m"},
      {"migrate", "web", "--wait", "--timeout", "soon"},
      {"migrate", "web", "--wait", "--dry-run"},
      {"operations", "--limit", "0"},
      {"operation"},
      {"abort"},
      {"abort", "--fenced"},
      {"policy"},
      {"policy", "show"},
      {"maintenance", "beta"},
      {"maintenance", "beta", "yes"},
      {"automation", "maybe"},
      {"vm", ""},
      {"vm", "a\nb"},
      {"series", ""},
      {"load", "", "--stop"},
      {"--socket", "/tmp/s", "--url", "http://a:1", "vms"},
      {"--url", "", "vms"},
      {"--url", "http://a:1", "--token-file", "", "vms"},
  };
  for (const auto& arguments : wrong) {
    std::string line;
    for (const auto& argument : arguments) line += argument + " ";
    INFO(line);
    const auto parsed = parse(arguments);
    CHECK_FALSE(parsed.invocation.has_value());
    CHECK(parsed.exit_code == api::kUsage);
    CHECK_FALSE(parsed.err.empty());
    CHECK(parsed.out.empty());
  }
}

TEST_CASE("an unknown command is named, with the one that was meant", "[invocation]") {
  const auto slip = parse({"stauts"});
  CHECK(slip.exit_code == api::kUsage);
  CHECK(slip.err == "virtseer: unknown command stauts; did you mean status?\n");
  CHECK(parse({"config", "chekc"}).err == "virtseer: unknown command chekc; did you mean check?\n");
  CHECK(parse({"--output", "json", "zebra\x1b"}).err ==
        "virtseer: unknown command zebra\\x1b; --help lists the commands\n");
  CHECK(parse({"suggestions", "--help"}).exit_code == api::kUsage);
  CHECK(parse({"config", "chekc", "--help"}).exit_code == api::kUsage);
  CHECK(parse({"config", "check", "--help"}).exit_code == 0);
  CHECK(parse({"vm", "a\tb"}).err.find("UUID") != std::string::npos);
}

TEST_CASE("help and version go to standard output and succeed", "[invocation]") {
  const auto version = parse({"--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.out == std::string("virtseer ") + kVersion + "\n");
  for (const auto& [name, options] : commandNames()) {
    INFO(name);
    std::vector<std::string> arguments;
    for (std::size_t at = 0; at < name.size();) {
      const auto end = std::min(name.find(' ', at), name.size());
      arguments.push_back(name.substr(at, end - at));
      at = end + 1;
    }
    arguments.push_back("--help");
    const auto help = parse(arguments);
    CHECK(help.exit_code == 0);
    for (const std::string& option : options) CHECK(help.out.find(option) != std::string::npos);
  }
}

}  // namespace virtseer::cli

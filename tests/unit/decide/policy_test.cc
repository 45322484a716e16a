#include "decide/policy.h"

#include "unit/decide/worlds.h"

using namespace virtseer;
using namespace virtseer::decide;
using namespace virtseer::decide::test;

namespace {

PolicyOverrides mode(Mode value) {
  PolicyOverrides out;
  out.mode = value;
  return out;
}

const PolicyLine* line(const ResolvedPolicy& policy, const std::string& source,
                       const std::string& key) {
  for (const auto& line : policy.lines)
    if (line.source == source && line.key == key) return &line;
  return nullptr;
}

}  // namespace

TEST_CASE("patterns match names") {
  CHECK(matches("*", ""));
  CHECK(matches("db-*", "db-1"));
  CHECK(matches("*-?b*", "prod-db-7"));
  CHECK(matches("a*b*c", "axxbxxbc"));
  CHECK_FALSE(matches("db-*", "web-db-1"));
  CHECK_FALSE(matches("?", ""));
  CHECK_FALSE(matches("", "x"));
}

TEST_CASE("with nothing said a VM is observed and may be migrated, without copies of disks") {
  const auto out = resolve({}, uuid(1, 1), "web", std::nullopt);

  CHECK(out.policy == Policy{});
  CHECK(out.policy.mode == Mode::observe);
  CHECK_FALSE(out.policy.copy_storage);
  REQUIRE(line(out, "built-in", "mode"));
  CHECK(line(out, "built-in", "mode")->value == "observe");
}

TEST_CASE("later rules win over earlier ones and over the defaults, and each word is shown") {
  PolicyConfiguration configuration;
  configuration.defaults = mode(Mode::suggest);
  configuration.rules = {{std::nullopt, "web*", mode(Mode::automatic)},
                         {std::nullopt, "other", mode(Mode::observe)},
                         {uuid(1, 1), "", mode(Mode::observe)}};

  const auto out = resolve(configuration, uuid(1, 1), "web", std::nullopt);

  CHECK(out.policy.mode == Mode::observe);
  REQUIRE(line(out, "rule 1 (web*)", "mode"));
  CHECK(line(out, "rule 1 (web*)", "mode")->note == "was suggest");
  CHECK(out.lines.back().source == "rule 3 (" + uuid(1, 1).text() + ")");
  CHECK(line(out, "rule 2 (other)", "mode") == nullptr);
  CHECK(resolve(configuration, uuid(1, 2), "web2", std::nullopt).policy.mode == Mode::automatic);
}

TEST_CASE("metadata lowers every key and raises none") {
  PolicyConfiguration configuration;
  configuration.defaults = {Mode::suggest, false, 60, true, true, true, true};
  const PolicyOverrides lower{Mode::observe, true, 90, false, false, false, false};

  CHECK(resolve(configuration, uuid(1, 1), "vm", PolicyMetadata{lower, ""}).policy ==
        Policy{Mode::observe, true, 90, false, false, false, false});

  configuration.defaults = {Mode::suggest, true, 60, false, false, false, false};
  const PolicyOverrides raise{Mode::automatic, false, 10, true, true, true, true};
  const auto out = resolve(configuration, uuid(1, 1), "vm", PolicyMetadata{raise, ""});

  CHECK(out.policy == Policy{Mode::suggest, true, 60, false, false, false, false});
  for (const auto* key : {"mode", "excluded", "priority", "migrate", "copy_storage", "return_trip",
                          "unlocked_disks"}) {
    CAPTURE(key);
    REQUIRE(line(out, "domain metadata", key));
    CHECK_FALSE(line(out, "domain metadata", key)->taken);
    CHECK(line(out, "domain metadata", key)->note.find("may only lower") != std::string::npos);
  }
}

TEST_CASE("metadata that could not be read leaves the VM observed and unmoved, and is shown") {
  PolicyConfiguration configuration;
  configuration.defaults = mode(Mode::automatic);

  const auto out = resolve(configuration, uuid(1, 1), "vm",
                           PolicyMetadata{mode(Mode::automatic), "bad\x1b[31mword"});

  CHECK(out.policy.mode == Mode::observe);
  CHECK_FALSE(out.policy.migrate);
  REQUIRE(line(out, "domain metadata", "fault"));
  CHECK(line(out, "domain metadata", "fault")->value == "bad\\x1b[31mword");
}

TEST_CASE("a priority outside its range is held to it") {
  PolicyConfiguration configuration;
  configuration.defaults.priority = 1000;

  CHECK(resolve(configuration, uuid(1, 1), "vm", std::nullopt).policy.priority == 100);
}

TEST_CASE("the global stop is the last line") {
  PolicyConfiguration configuration;
  configuration.stop = true;

  const auto out = resolve(configuration, uuid(1, 1), "vm", std::nullopt);

  CHECK(out.stop);
  CHECK(out.lines.back().source == "stop");
}

TEST_CASE("the policy without its lines is the same policy") {
  PolicyConfiguration configuration;
  configuration.rules = {{std::nullopt, "vm?", mode(Mode::automatic)}};
  auto vm = plainVm(1);
  vm.metadata = PolicyMetadata{mode(Mode::suggest), ""};

  CHECK(resolvedPolicy(configuration, vm) ==
        resolve(configuration, vm.uuid, vm.name, vm.metadata).policy);
  CHECK(resolvedPolicy(configuration, vm).mode == Mode::suggest);
}

TEST_CASE("modes are written as they are read") {
  for (const auto value : {Mode::observe, Mode::suggest, Mode::automatic})
    CHECK(parseMode(name(value)) == value);
  CHECK_FALSE(parseMode("automatic"));
}

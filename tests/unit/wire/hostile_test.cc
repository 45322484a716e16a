#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>

#include "unit/wire/worlds.h"
#include "wire/base64.h"
#include "wire/limits.h"
#include "wire/wire.h"

using namespace virtseer;
using namespace virtseer::wire;

namespace {

/// A state with one of everything, so that every member can be spoiled.
FleetState full() {
  Worlds worlds(1);
  FleetState out = worlds.fleetState();
  out.host.vms = {worlds.placedVm(), worlds.placedVm()};
  out.host.vms[0].name = "db-1";
  out.host.vms[0].metadata = worlds.metadata();
  out.host.vms[0].metadata->set.priority = 50;
  out.scenarios = {};
  out.scenarios.start = out.now;
  out.scenarios.step = Millis(1000);
  out.scenarios.steps = 2;
  out.scenarios.paths = 2;
  out.scenarios.vms = {out.host.vms[0].uuid};
  out.scenarios.demand = {1, 2, 3, 4};
  return out;
}

/// What the reader says after `spoil` has had its way with a right state.
Error spoiled(const std::function<void(Json&)>& spoil) {
  Json body = json(full());
  spoil(body);
  const auto read = fleetState(body.dump());
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Code::invalid);
  return read.error();
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("a wrong member is named with the way to it") {
  REQUIRE(fleetState(json(full()).dump()));
  const auto message = [](const std::function<void(Json&)>& spoil) {
    return spoiled(spoil).message;
  };
  CHECK(message([](Json& body) { body.erase("now"); }) == "now is missing");
  CHECK(message([](Json& body) { body["now"] = "yesterday"; }) ==
        "now must be a time such as 2026-01-31T08:05:00.250Z");
  CHECK(message([](Json& body) { body["host"] = 3; }) == "host must be an object");
  CHECK(message([](Json& body) { body["host"]["vms"][1]["vcpus"] = -1; }) ==
        "host.vms[1].vcpus must be a whole number that is not negative");
  CHECK(message([](Json& body) { body["host"]["vms"][0]["metadata"]["set"]["mode"] = "boss"; }) ==
        "host.vms[0].metadata.set.mode must be one of the names that are known");
  CHECK(message([](Json& body) { body["host"]["uuid"] = nullptr; }) == "host.uuid must be a UUID");
}

TEST_CASE("members of a wrong kind are refused") {
  const std::vector<std::function<void(Json&)>> spoils{
      [](Json& body) { body["host"]["uuid"] = "00000000-0000-0000-0000-000000000000"; },
      [](Json& body) { body["host"]["name"] = 5; },
      [](Json& body) { body["host"]["maintenance"] = "no"; },
      [](Json& body) { body["host"]["maintenance"] = 0; },
      [](Json& body) { body["host"]["capacity"]["cpus"] = -1; },
      [](Json& body) { body["host"]["capacity"]["cpus"] = nullptr; },
      [](Json& body) { body["host"]["capacity"]["memory_bytes"] = 1.5; },
      [](Json& body) { body["host"]["cpus_online"] = 4294967296; },
      [](Json& body) { body["host"]["link_bytes_per_s"] = "fast"; },
      [](Json& body) { body["host"]["vms"] = Json::object(); },
      [](Json& body) { body["host"]["vms"][0] = nullptr; },
      [](Json& body) { body["host"]["vms"][0]["state"] = "RUNNING"; },
      [](Json& body) { body["host"]["vms"][0]["role"] = "king"; },
      [](Json& body) { body["host"]["vms"][0]["cpu_mode"] = "maximum"; },
      [](Json& body) { body["host"]["vms"][0]["metadata"]["set"]["priority"] = 1LL << 40; },
      [](Json& body) { body["host"]["vms"][0]["metadata"]["set"]["priority"] = ~0ULL; },
      [](Json& body) { body["host"]["name"] = std::string(kTextBytes + 1, 'x'); },
      [](Json& body) {
        body["host"]["networks"] = Json(std::vector<std::string>(kItems + 1, "n"));
      },
  };
  for (std::size_t i = 0; i < spoils.size(); ++i) {
    INFO("spoil " << i);
    (void)spoiled(spoils[i]);
  }
}

TEST_CASE("scenarios of a wrong size or shape are refused") {
  const std::vector<std::function<void(Json&)>> spoils{
      [](Json& scenarios) { scenarios["paths"] = 3; },
      [](Json& scenarios) { scenarios["paths"] = kPaths + 1; },
      [](Json& scenarios) { scenarios["steps"] = kSteps + 1; },
      [](Json& scenarios) { scenarios["steps"] = ~0ULL; },
      [](Json& scenarios) { scenarios["step_ms"] = 0; },
      [](Json& scenarios) { scenarios["step_ms"] = -5; },
      [](Json& scenarios) { scenarios["demand"] = nullptr; },
      [](Json& scenarios) { scenarios["demand"] = "ZADIACwBkAE"; },
      [](Json& scenarios) { scenarios["demand"] = "ZADI-CwBkAE="; },
      [](Json& scenarios) { scenarios["vms"] = Json::array(); },
      [](Json& scenarios) {
        scenarios["vms"] = Json(std::vector<std::string>(9000, Worlds(1).uuid().text()));
        scenarios["paths"] = 1024, scenarios["steps"] = 1024;
      },
  };
  for (std::size_t i = 0; i < spoils.size(); ++i) {
    INFO("spoil " << i);
    (void)spoiled([&](Json& body) { spoils[i](body["scenarios"]); });
  }
}

TEST_CASE("a member that may be null may be absent, and unknown ones are passed over") {
  Json body = json(full());
  body["host"].erase("link_bytes_per_s");
  body["host"]["vms"][0].erase("metadata");
  body["host"]["of_a_later_version"] = {{"a", 1}};
  const auto read = fleetState(body.dump());
  REQUIRE(read);
  CHECK_FALSE(read->host.link_bytes_per_s);
  CHECK_FALSE(read->host.vms[0].metadata);
}

TEST_CASE("bodies that would cost far more than they weigh are refused before they are parsed") {
  const auto refused = [](const std::string& body) {
    const auto read = fleetState(body);
    REQUIRE_FALSE(read);
    return read.error().message;
  };
  CHECK(refused(repeated("[", 1'000'000)) == "the body is nested too deeply");
  CHECK(refused(repeated(R"({"a":)", 1'000'000)) == "the body is nested too deeply");
  CHECK(refused("{\"a\":[" + repeated("[],", kValues / 2) + "[]]}") ==
        "the body has more than 2000000 values");
  CHECK(refused(std::string(kBodyBytes + 1, ' ')) == "the body has more than 33554432 bytes");
}

TEST_CASE("an object with very many members is read in time") {
  std::string body = "{";
  for (int i = 0; i < 190'000; ++i) body += '"' + std::to_string(i) + "\":0,";
  body += "\"z\":0}";
  const auto read = reservation(body);
  REQUIRE_FALSE(read);
  CHECK(read.error().message == "id is missing");
}

TEST_CASE("what is no JSON, or not the right kind of it, is refused") {
  for (const std::string body :
       {"", " ", "null", "[]", "3", "\"x\"", "{", "{}x", "{\"id\":1e999}", "{'id':1}", "\xFF",
        "{\"id\":\"\xFF\"}", "{\"id\":\"\\ud800\"}", "nan"}) {
    INFO(body);
    CHECK_FALSE(operation(body));
    CHECK_FALSE(fleetState(body));
    CHECK_FALSE(reserveOrder(body));
    CHECK_FALSE(commitOrder(body));
  }
  CHECK(pastMoves("[]"));
  CHECK_FALSE(pastMoves("{}"));
}

TEST_CASE("a definition of up to 4 MiB is taken, a longer one is not") {
  ReserveOrder order = Worlds(2).reserveOrder();
  order.live_xml = std::string(kDefinitionBytes, '"');
  CHECK(reserveOrder(*text(json(order))));
  order.live_xml += 'x';
  const auto read = reserveOrder(*text(json(order)));
  REQUIRE_FALSE(read);
  CHECK(read.error().message == "live_xml must be a text of at most 4194304 bytes");
}

TEST_CASE("base64 has one text for each list of numbers, and no other is read") {
  const std::vector<std::uint16_t> one{0xABCD}, two{1, 0xFFFF}, three{0, 1, 2};
  CHECK(base64(one) == "zas=");
  CHECK(base64(two) == "AQD//w==");
  CHECK(base64(three) == "AAABAAIA");
  CHECK(base64({}).empty());
  CHECK(fromBase64("zas=", 1) == one);
  CHECK(fromBase64("AQD//w==", 2) == two);
  CHECK(fromBase64("AAABAAIA", 3) == three);
  CHECK(fromBase64("", 0) == std::vector<std::uint16_t>{});
  for (const char* wrong : {"zat=", "za==", "z===", "zas", "zas==", "=as=", "zas ", "za\n="}) {
    INFO(wrong);
    CHECK_FALSE(fromBase64(wrong, 1));
  }
  CHECK_FALSE(fromBase64("zas=", 2));
}

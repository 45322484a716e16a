#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "api/echo_json.h"
#include "api/handlers.h"
#include "api/router.h"
#include "fake_backend.h"
#include "openapi_fit.h"

/// What guests tell, over REST.
using namespace virtseer;
using namespace virtseer::api;

namespace {

Json written(const EchoView& view) {
  EchoBody body(view);
  while (body.step()) continue;
  return Json::parse(body.take());
}

std::expected<CollectionChange, Problem> change(std::string body) {
  return readCollection(
      {.path = {}, .query = {}, .content_type = "application/json", .body = std::move(body)});
}

}  // namespace

TEST_CASE("all that a guest told has the shape of its schema, full or empty") {
  for (const auto& backend : {FakeBackend::filled(), FakeBackend::empty()}) {
    const Json echo = written(backend.known_echo);
    fits(echo, "Echo");
    for (const auto& value : echo["values"]) fits(value, "EchoValue");
    for (const auto& table : echo["tables"]) fits(table, "GuestTable");
    fits(collectionJson(backend.known_collection), "Collection");
    for (const auto& table : backend.known_echo.tables)
      fits(vmTableJson({uuidOf(2), "web", table}), "VmTable");
  }
}

TEST_CASE("all that a guest told reads back from the pieces in which it is written") {
  auto backend = FakeBackend::filled();
  const SeriesName name = backend.known_echo.values[0].name;
  for (int i = 0; i < 500; ++i)
    backend.known_echo.values.push_back({name, *backend.known_echo.time, i * 0.5, {}});
  const Json echo = written(backend.known_echo);
  REQUIRE(echo["values"].size() == 503);
  CHECK(echo["values"][502]["value"] == 249.5);
  CHECK(echo["values"][0]["rate_per_second"] == 0.25);
  CHECK(echo["values"][0]["time"].is_null());
  CHECK(echo["values"][2]["time"] == "2026-01-31T08:04:55.250Z");
  CHECK(echo["tables"]["processes"]["rows"] == Json::parse(R"([[1.0, "init"], [2.0, null]])"));
  CHECK(echo["tables"]["services"]["rows"][0][0] == "ssh\"d");
  CHECK(echo["happenings"].size() == 1);
  CHECK(echo["cost"] == Json{{"cpu_seconds_per_second", 0.001}, {"resident_memory_bytes", 2e6}});
}

TEST_CASE("what is to be collected is changed member by member, and null takes it back") {
  const auto all =
      change(R"({"interval_ms":1000,"top_processes":null,"collectors":["cpu","all"]})");
  REQUIRE(all);
  CHECK(**all->interval_ms == 1000);
  REQUIRE(all->top_processes);
  CHECK_FALSE(*all->top_processes);
  CHECK(**all->collectors == std::vector<std::string>{"cpu", "all"});
  const auto one = change(R"({"collectors":null})");
  REQUIRE(one);
  CHECK_FALSE(one->interval_ms);
  REQUIRE(one->collectors);
  CHECK_FALSE(*one->collectors);
}

TEST_CASE("a change of what is collected that no agent could follow is refused") {
  for (const char* wrong :
       {"", "[]", "{}", R"({"interval_ms":199})", R"({"interval_ms":3600001})",
        R"({"interval_ms":1.5})", R"({"interval_ms":"1s"})", R"({"top_processes":-1})",
        R"({"top_processes":257})", R"({"collectors":[]})", R"({"collectors":["a b"]})",
        R"({"collectors":[1]})", R"({"collectors":"cpu"})", R"({"interval":1000})"}) {
    INFO(wrong);
    const auto read = change(wrong);
    REQUIRE_FALSE(read);
    CHECK(read.error().status == 400);
  }
}

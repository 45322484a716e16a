#include <catch2/catch.hpp>

#include "api/care_json.h"
#include "http_client.h"
#include "openapi_fit.h"

using namespace virtseer;
using namespace virtseer::api;

namespace {

const std::string kEnroll = "/api/v1/vms/web/enroll";

EnrollReport sampleReport() {
  EnrollReport out;
  out.vm = uuidOf(2);
  out.vm_name = "web";
  out.way = EchoWay::tls;
  out.changed = true;
  out.plan.checks = {{"job", true, "no job runs on it"}};
  out.plan.steps = {{EnrollStep::Kind::token, {}, true, "a token is made"}};
  out.plan.notes = {"it is transient"};
  out.token_file = "/var/lib/virtseer/agents/x.token";
  out.guest = {"install the agent"};
  out.undo = "virtseer enroll web --remove";
  return out;
}

Finding sampleFinding() {
  return {Severity::error,
          "vm.agent_silent",
          uuidOf(2),
          "web",
          "its agent was heard last 3 min ago",
          "what goes on inside is not seen",
          "start it",
          "virtseer vm web"};
}

GuestFacts sampleGuest() {
  GuestFacts out;
  out.os = "Debian GNU/Linux 12";
  out.kernel = "6.1.0";
  out.hostname = "web";
  out.vcpus_online = 2;
  out.clock_offset = Millis(-1500);
  out.filesystems = {{"/", "ext4", 1000, 400}, {"/boot", "", {}, {}}};
  return out;
}

}  // namespace

TEST_CASE("what helps to see has exactly the members of its schemas, filled and bare") {
  fits(enrollJson(sampleReport()), "EnrollReport");
  fits(enrollJson({}), "EnrollReport");
  fits(findingJson(sampleFinding()), "Finding");
  fits(findingJson({}), "Finding");
  fits(doctorJson({.time = at("2026-01-31T08:05:00Z"), .findings = {sampleFinding()}}), "Doctor");
  fits(guestJson(sampleGuest()), "GuestFacts");
  fits(guestJson({}), "GuestFacts");
  auto backend = FakeBackend::filled();
  backend.known_vms[0].guest = sampleGuest();
  fits(vmJson(backend.known_vms[0]), "Vm");
  std::set<std::string> ways;
  for (const auto way : {EchoWay::channel, EchoWay::vsock, EchoWay::tls})
    ways.insert(std::string(name(way)));
  CHECK(ways == file().schemas.at("EchoWay").values);
}

TEST_CASE("what a guest does not say is null") {
  const auto guest = guestJson({});
  for (const char* member : {"os", "kernel", "hostname", "vcpus_online", "clock_offset_seconds"})
    CHECK(guest[member].is_null());
  CHECK(guestJson(sampleGuest())["clock_offset_seconds"] == -1.5);
  CHECK(enrollJson({})["token_file"].is_null());
}

TEST_CASE("enrolling is asked for as its body says, which may be missing") {
  Running running;
  auto client = running.local();
  running.onLoop([&] { return running.decisions.enroll_report = sampleReport(), 0; });
  const auto asked = [&] {
    return running.onLoop([&] { return *running.decisions.asked_enroll; });
  };
  const auto got = client.ask("POST " + kEnroll);
  CHECK(got.status == 200);
  CHECK(got.json()["token_file"] == "/var/lib/virtseer/agents/x.token");
  CHECK_FALSE(asked().dry_run);
  CHECK(asked().way == EchoWay::channel);

  CHECK(client.post(kEnroll, R"({"dry_run":true,"way":"tls","address":"192.0.2.1:8687"})").status ==
        200);
  CHECK(asked().dry_run);
  CHECK(asked().way == EchoWay::tls);
  CHECK(asked().address == "192.0.2.1:8687");
  for (const char* body :
       {R"({"remove":true,"way":"tls"})", R"({"way":"vsock"})", R"({"way":"vsock","address":"9"})",
        R"({"way":"tls","address":"[2001:db8::1]:8687"})", R"({"way":null,"address":null})",
        R"({"next_start":true})", "{}"}) {
    INFO(body);
    CHECK(client.post(kEnroll, body).status == 200);
  }
}

TEST_CASE("a request to enroll that makes no sense reaches nobody, and names what is wrong") {
  Running running;
  auto client = running.local();
  const std::pair<const char*, const char*> wrong[] = {
      {R"({"dry_run":"yes"})", "dry_run"},
      {R"({"remove":1})", "remove"},
      {R"({"next_start":"now"})", "next_start"},
      {R"({"next_start":true,"way":"vsock"})", "next_start"},
      {R"({"way":"carrier pigeon"})", "way"},
      {R"({"way":7})", "way"},
      {R"({"address":"192.0.2.1:1"})", "address"},
      {R"({"way":"tls"})", "address"},
      {R"({"way":"tls","address":"host"})", "address"},
      {R"({"way":"tls","address":":1"})", "address"},
      {R"({"way":"tls","address":"host:0"})", "address"},
      {R"({"way":"tls","address":"host:70000"})", "address"},
      {R"({"way":"tls","address":"ho st:1"})", "address"},
      {R"({"way":"tls","address":"host\nserver = x:1"})", "address"},
      {R"({"way":"vsock","address":"host:1"})", "address"},
      {R"({"way":"vsock","address":"x"})", "address"},
      {R"({"remove":true,"address":"host:1"})", "address"},
      {R"({"show_token":true})", "show_token"}};
  for (const auto& [body, member] : wrong) {
    INFO(body);
    const auto got = client.post(kEnroll, body);
    CHECK(got.status == 400);
    CHECK(got.json()["detail"].get<std::string>().find(member) != std::string::npos);
  }
  CHECK_FALSE(running.onLoop([&] { return running.decisions.asked_enroll.has_value(); }));
}

TEST_CASE("a refusal to enroll and a lost libvirt keep their codes") {
  Running running;
  auto client = running.local();
  const std::pair<Code, unsigned> codes[] = {
      {Code::refused, 403}, {Code::unreachable, 503}, {Code::not_found, 404}};
  for (const auto& [failure, status] : codes) {
    const Error error{failure, "no"};
    running.onLoop([&] { return running.decisions.failure = error, 0; });
    CHECK(client.post(kEnroll, "{}").status == status);
    CHECK(client.ask("GET /api/v1/doctor").status == status);
  }
}

TEST_CASE("the doctor's findings come as a list") {
  Running running;
  running.onLoop([&] {
    return running.decisions.known_doctor = {.time = at("2026-01-31T08:05:00Z"),
                                             .findings = {sampleFinding()}},
           0;
  });
  const auto got = running.local().ask("GET /api/v1/doctor");
  CHECK(got.status == 200);
  CHECK(got.json()["items"][0]["kind"] == "vm.agent_silent");
  CHECK(got.json()["items"][0]["severity"] == "error");
}

#include <fmt/format.h>
#include <time.h>

#include <catch2/catch.hpp>

#include "http_client.h"

using namespace virtseer;
using namespace virtseer::api;

namespace {

double threadCpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

// Run by hand in the release tree: unit_api "[speed]". Counts the CPU time of the server's thread
// alone.
TEST_CASE("GETs per CPU-second over the UNIX socket", "[.][speed]") {
  constexpr int kConnections = 8, kRounds = 5000;
  auto backend = FakeBackend::filled();
  backend.state.problems.clear();
  Running running(backend);
  for (const char* target :
       {"/healthz", "/api/v1/vms/web", "/api/v1/health", "/api/v1/vms/web/latest"}) {
    std::vector<Client> clients;
    for (int i = 0; i < kConnections; ++i) clients.push_back(running.local());
    const std::string request = std::string("GET ") + target + " HTTP/1.1\r\nHost: x\r\n\r\n";
    const double before = running.onLoop(threadCpuSeconds);
    for (int round = 0; round < kRounds; ++round) {
      for (auto& client : clients) client.send(request);
      for (auto& client : clients) REQUIRE(client.reply().status == 200);
    }
    const double used = running.onLoop(threadCpuSeconds) - before;
    fmt::print("{:<24} {:>7.0f} GETs per CPU-second\n", target, kConnections * kRounds / used);
  }
}

// A fleet's worth of series: 500 VMs with 100 each.
TEST_CASE("CPU time of a large exposition and of a long series", "[.][speed]") {
  auto backend = FakeBackend::filled();
  const auto one = backend.known_values[0];
  backend.known_values.clear();
  for (int vm = 0; vm < 500; ++vm)
    for (int i = 0; i < 100; ++i) {
      auto value = one;
      value.stream.entity.bytes[0] = static_cast<std::uint8_t>(vm);
      value.stream.entity.bytes[1] = static_cast<std::uint8_t>(vm >> 8);
      value.name.labels["cpu"] = std::to_string(i);
      value.time = std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
      backend.known_values.push_back(value);
    }
  backend.answer.series[0].points.resize(100'000, {at("2026-01-31T08:05:00Z"), 0.123456789});
  Running running(backend);
  auto client = running.local();
  for (const char* target : {"/metrics", "/api/v1/vms/web/series?metric=m"}) {
    const double before = running.onLoop(threadCpuSeconds);
    const auto got = client.ask(std::string("GET ") + target);
    REQUIRE(got.status == 200);
    fmt::print("{:<32} {:>9} bytes {:>6.1f} ms\n", target, got.body.size(),
               1000 * (running.onLoop(threadCpuSeconds) - before));
  }
}

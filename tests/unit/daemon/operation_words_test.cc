#include "daemon/operation_words.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace virtseer;

namespace {

bool says(const std::vector<std::string>& lines, std::string_view part) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(part) != line.npos; });
}

Operation moved() {
  Operation out;
  out.id = "m-1";
  out.state = OperationState::done;
  out.origin = OperationOrigin::plan;
  out.plan_step = "p-7.1";
  out.vm_name = "web-1";
  out.from_name = "host-a";
  out.to_name = "host-b";
  out.message = "web-1 runs on host-b";
  out.reasons = {"host-a runs short in 2 min"};
  out.steps = {{OperationState::planned, Timestamp(Millis(0)), "written down"}};
  out.duration = Millis(900);
  out.downtime = Millis(120);
  out.before = Wellbeing{.agent = true,
                         .echo_age = {},
                         .cpu_cores = 0.4,
                         .cpu_delay_cores = 0.3,
                         .work_units_per_s = 100.0,
                         .ticks = {},
                         .io_errors = 0};
  return out;
}

}  // namespace

TEST_CASE("an operation tells whose idea it was, why, its steps and what it took") {
  const auto lines = daemon::explainOperation(moved());
  CHECK(says(lines, "migration of web-1 from host-a to host-b: done"));
  CHECK(says(lines, "step p-7.1 of a plan"));
  CHECK(says(lines, "because host-a runs short in 2 min"));
  CHECK(says(lines, "1970-01-01T00:00:00.000Z  planned: written down"));
  CHECK(says(lines, "took 900 ms, 120 ms of it down"));
  CHECK(says(lines, "before: uses 0.40 cores and waits for 0.30, does 100.0 work units/s"));
  CHECK_FALSE(says(lines, "after:"));
}

TEST_CASE("names of an operation cannot write on the terminal") {
  auto operation = moved();
  operation.vm_name = "a\x1b[2Jb";
  for (const auto& line : daemon::explainOperation(operation))
    CHECK(line.find('\x1b') == std::string::npos);
}

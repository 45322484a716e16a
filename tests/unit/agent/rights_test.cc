#include "agent/rights.h"

#include <catch2/catch.hpp>

namespace virtseer::agent {

TEST_CASE("what a process lacks is told with what it is for") {
  CHECK(missingRights("Name:\tx\nCapEff:\t000001ffffffffff\nCapBnd:\t0000000000000000\n").empty());
  CHECK(missingRights("CapEff:\t000000c400080000\n").empty());
  CHECK(missingRights("CapEff:\t0000000400080000\n") ==
        "CAP_BPF (system calls, waiting, connections, requests), CAP_PERFMON (the same)");
  CHECK(missingRights("CapEff:\t0000000000000000\n").ends_with("CAP_SYSLOG (the kernel's log)"));
  CHECK(missingRights("").empty());
  CHECK(missingRights("CapEff:\tnonsense\n").empty());
}

}  // namespace virtseer::agent

#include "model/machine.h"

#include <catch2/catch.hpp>

using namespace virtseer;

TEST_CASE("an agent goes along with its VM where it is heard by the VM's own channel") {
  AgentLink agent;
  CHECK_FALSE(goesAlong(agent));
  agent.state = AgentLink::State::connected;
  CHECK(goesAlong(agent));
  agent.caller = "192.0.2.7";
  CHECK_FALSE(goesAlong(agent));
}

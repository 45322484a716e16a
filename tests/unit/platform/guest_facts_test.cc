#include "platform/libvirt/guest_facts.h"

#include <libvirt/virterror.h>

#include <catch2/catch.hpp>

using namespace virtseer::platform;

TEST_CASE("who is at fault for a question without an answer is told by libvirt's error") {
  CHECK(agentError(VIR_ERR_AGENT_UNRESPONSIVE) == AgentError::silent);
  CHECK(agentError(VIR_ERR_AGENT_UNSYNCED) == AgentError::silent);
  // Held by somebody's freeze of file systems; not running any more.
  CHECK(agentError(VIR_ERR_OPERATION_TIMEOUT) == AgentError::not_asked);
  CHECK(agentError(VIR_ERR_OPERATION_INVALID) == AgentError::not_asked);
  CHECK(agentError(VIR_ERR_INTERNAL_ERROR) == AgentError::command);
}

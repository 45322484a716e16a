#pragma once

#include "api/decisions.h"
#include "api/json.h"
#include "model/machine.h"

/// What helps a person to have everything seen, in the shapes of openapi.yaml, as json.h says.
/// Pure.
namespace virtseer::api {

Json enrollJson(const EnrollReport& report);
Json findingJson(const Finding& finding);
Json doctorJson(const DoctorAnswer& answer);
/// Of qemu-guest-agent.
Json guestJson(const GuestFacts& guest);

}  // namespace virtseer::api

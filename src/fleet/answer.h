#pragma once

#include "base/result.h"
#include "fleet/http.h"

namespace virtseer::fleet {

/// The body of a reply that says yes; else the failure that its problem body (RFC 9457) or status
/// names. Redirects are not followed: a daemon sends none.
Result<std::string> body(HttpReply reply);

/// What the other side says that is not understood. It is no fault of what was asked.
Error misunderstood(const Error& error);

}  // namespace virtseer::fleet

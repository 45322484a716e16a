#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "api/http.h"

namespace virtseer::api {

/// IMF-fixdate (RFC 9110, 5.6.7): Sat, 31 Jan 2026 08:05:00 GMT.
std::string httpDate(std::chrono::sys_seconds time);

/// Whether a client's X-Request-Id may be taken over: 1 to 64 letters, digits, '-', '_', '.'.
bool isRequestId(std::string_view text);

/// Status line and header of a response, up to and with the empty line.
std::string responseHead(const Response& response, std::string_view request_id,
                         std::string_view date, bool keep_alive);

}  // namespace virtseer::api

#pragma once

#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "api/decisions.h"
#include "api/http.h"
#include "api/json.h"

/// Bodies of requests, read as if an enemy wrote them.
namespace virtseer::api {

/// A body of the wrong shape: 400.
Problem badBody(std::string detail);

/// Refuses what is not sent as application/json: a page of another origin can send a form or text
/// without asking first, but not this type.
std::expected<void, Problem> needJson(std::string_view content_type);

/// The object that a body holds. `what` begins the text on unknown members: "an order".
std::expected<Json, Problem> readObject(std::string_view content_type, std::string_view body,
                                        std::span<const std::string_view> members,
                                        std::string_view what);

/// For requests that say all in their path: nothing, or an object without members.
std::expected<void, Problem> readNothing(const Request& request);

/// {"on": true or false}.
std::expected<bool, Problem> readOn(const Request& request);

/// {"token": a text that is not empty}; what it says appears in no answer.
std::expected<std::string, Problem> readToken(const Request& request);

/// {"fenced": true or false}; empty, or without it, means false.
std::expected<bool, Problem> readFenced(const Request& request);

/// The body of a request for a move; empty means all defaults.
std::expected<MigrateRequest, Problem> readMigrate(const Request& request);

/// The body of a request to enroll a VM; empty means all defaults.
std::expected<EnrollRequest, Problem> readEnroll(const Request& request);

}  // namespace virtseer::api

#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace virtseer::api {

/// Decoded query parameters in the order of the target.
using Query = std::vector<std::pair<std::string, std::string>>;

/// A request as a handler sees it: matched, decoded, its parameters known to its route.
struct Request {
  std::vector<std::string> path;  ///< values of the route's {placeholders}, in order
  Query query;
  std::string content_type;
  std::string body;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

/// What is sent back, apart from the headers that every response has.
struct Response {
  unsigned status = 200;
  std::string content_type;
  std::string body;
  Headers headers;
};

/// A failure as RFC 9457 tells it.
struct Problem {
  unsigned status = 500;
  std::string
      code;  ///< closed set, snake_case: `name(Code)` or one of HTTP's own, see openapi.yaml
  std::string detail;  ///< for a person: what is wrong and what to do
  Headers headers;     ///< Allow, Retry-After, WWW-Authenticate
};

using Outcome = std::expected<Response, Problem>;

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kProblemType = "application/problem+json";
inline constexpr std::string_view kTextType = "text/plain; charset=utf-8";

/// The reason phrase of a status that this API uses.
std::string_view reason(unsigned status);

/// A failure of the layers below: invalid 400, not_found 404, refused 403, unreachable 503, timeout
/// 504, busy 503 with Retry-After, full 507, unsupported 501, others 500.
Problem problem(const Error& error);

/// The problem's response; its body carries the request's id.
Response toResponse(const Problem& problem, std::string_view request_id);

inline std::unexpected<Problem> refuse(Problem problem) {
  return std::unexpected(std::move(problem));
}
inline std::unexpected<Problem> refuse(const Error& error) {
  return std::unexpected(problem(error));
}

}  // namespace virtseer::api

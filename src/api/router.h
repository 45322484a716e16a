#pragma once

#include <boost/asio/awaitable.hpp>
#include <span>
#include <string_view>

#include "api/backend.h"
#include "api/decisions.h"
#include "api/http.h"
#include "base/time.h"

namespace virtseer::api {

/// What handlers work on. All of it outlives every request.
struct Api {
  Backend& backend;
  Decisions& decisions;
  const Clock& clock;
};

struct QueryParameter {
  std::string_view name;
  bool repeatable = false;
};

/// One line of the closed table of what this API answers. Exactly one of the two handlers is set:
/// `at_once` never waits; `later` may wait, and is cancelled at the request's deadline.
struct Route {
  std::string_view method;   ///< GET (which answers HEAD too) or POST
  std::string_view pattern;  ///< "/api/v1/vms/{vm}"
  std::string_view name;     ///< its operationId in openapi.yaml
  std::span<const QueryParameter> query;
  Outcome (*at_once)(Api api, const Request& request) = nullptr;
  boost::asio::awaitable<Outcome> (*later)(Api api, Request request) = nullptr;
  /// Largest body in bytes where it may be larger than ServerOptions::max_body_bytes.
  std::size_t max_body = 0;
};

/// Of any route: a VM's definition comes with a reservation, 4 MiB of XML that JSON escapes.
inline constexpr std::size_t kLargestBody = std::size_t{16} << 20;

/// The whole table, in the order of openapi.yaml.
std::span<const Route> routes();

struct Matched {
  const Route* route = nullptr;
  Request request;  ///< without body
};

/// Finds the route of a request. Fails with 400 (target or parameters are wrong), 404, or 405 with
/// Allow.
std::expected<Matched, Problem> match(std::string_view method, std::string_view target);

}  // namespace virtseer::api

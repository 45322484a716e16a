#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "api/body.h"
#include "api/echo_json.h"
#include "api/handlers.h"
#include "api/target.h"
#include "virtseer/echo/text.h"

/// What guests tell, and what they are told to tell.
namespace virtseer::api {

namespace asio = boost::asio;

namespace {

constexpr std::array<std::string_view, 3> kCollectionMembers{"interval_ms", "top_processes",
                                                             "collectors"};

/// Takes one whole number, or null, out of a body.
std::optional<Problem> takeCount(const Json& body, const char* key, std::uint64_t least,
                                 std::uint64_t most,
                                 std::optional<std::optional<std::uint32_t>>& out) {
  const auto found = body.find(key);
  if (found == body.end()) return std::nullopt;
  if (found->is_null()) return out.emplace(), std::nullopt;
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() < least ||
      found->get<std::uint64_t>() > most)
    return badBody(
        fmt::format("{}: must be a whole number from {} to {}, or null for what the "
                    "configuration says",
                    key, least, most));
  out = static_cast<std::uint32_t>(found->get<std::uint64_t>());
  return std::nullopt;
}

std::optional<Problem> takeCollectors(const Json& body,
                                      std::optional<std::optional<std::vector<std::string>>>& out) {
  const auto found = body.find("collectors");
  if (found == body.end()) return std::nullopt;
  if (found->is_null()) return out.emplace(), std::nullopt;
  const auto wrong = [] {
    return badBody(
        fmt::format("collectors: must be a list of 1 to {} names of collectors, "
                    "[\"all\"], or null for what the configuration says",
                    echo::kMaxSources));
  };
  if (!found->is_array() || found->empty() || found->size() > echo::kMaxSources) return wrong();
  std::vector<std::string> names;
  for (const Json& name : *found) {
    if (!name.is_string() || !echo::isName(name.get<std::string>())) return wrong();
    names.push_back(name.get<std::string>());
  }
  out = std::move(names);
  return std::nullopt;
}

}  // namespace

std::expected<CollectionChange, Problem> readCollection(const Request& request) {
  const auto body = readObject(request.content_type, request.body, kCollectionMembers,
                               "a change of what is collected");
  if (!body) return refuse(body.error());
  CollectionChange out;
  if (auto bad = takeCount(*body, "interval_ms", echo::kMinIntervalMs, echo::kMaxIntervalMs,
                           out.interval_ms))
    return refuse(*bad);
  if (auto bad = takeCount(*body, "top_processes", 0, echo::kMaxTableRows, out.top_processes))
    return refuse(*bad);
  if (auto bad = takeCollectors(*body, out.collectors)) return refuse(*bad);
  if (body->empty())
    return refuse(
        badBody("nothing is to be changed: give interval_ms, top_processes or "
                "collectors"));
  return out;
}

asio::awaitable<Outcome> getVmEcho(Api api, Request request) {
  auto view = co_await api.backend.echo(request.path[0]);
  if (!view) co_return refuse(view.error());
  EchoBody body(std::move(*view));
  while (body.step()) co_await breathe();
  co_return ok(body.take());
}

asio::awaitable<Outcome> getVmTable(Api api, Request request) {
  const auto time = moment(request.query, "at", api.clock.wall());
  if (!time) co_return refuse(time.error());
  const auto table = co_await api.backend.table(request.path[0], request.path[1], *time);
  if (!table) co_return refuse(table.error());
  co_return ok(text(vmTableJson(*table)));
}

Outcome getCollection(Api api, const Request& request) {
  const auto view = api.backend.collection(request.path[0]);
  if (!view) return refuse(view.error());
  return ok(text(collectionJson(*view)));
}

asio::awaitable<Outcome> setCollection(Api api, Request request) {
  auto change = readCollection(request);
  if (!change) co_return refuse(std::move(change.error()));
  const auto view = co_await api.backend.setCollection(request.path[0], std::move(*change));
  if (!view) co_return refuse(view.error());
  co_return ok(text(collectionJson(*view)));
}

}  // namespace virtseer::api

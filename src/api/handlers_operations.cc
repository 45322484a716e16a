#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/body.h"
#include "api/decisions_json.h"
#include "api/handlers.h"
#include "api/json.h"
#include "api/target.h"
#include "wire/wire.h"

/// Moves that a person asks for, and operations as they go.
namespace virtseer::api {

namespace asio = boost::asio;

namespace {

constexpr std::uint64_t kMostOperations = 1000;
constexpr std::uint64_t kUsualOperations = 100;

Response accepted(std::string body) {
  return {202, std::string(kJsonType), std::move(body), {}};
}

/// A VM that has left may be known by its operations only.
Result<Uuid> vmOfOperations(Api api, const std::string& key) {
  if (const auto uuid = Uuid::parse(key)) return *uuid;
  auto known = vmUuid(api.backend, key);
  if (known || known.error().code != Code::not_found) return known;
  const auto operations =
      api.decisions.operations({.active = false, .vm = {}, .limit = kMostOperations});
  if (!operations) return fail(operations.error());
  for (const auto& operation : *operations)
    if (operation.vm_name == key) return operation.vm;
  return known;
}

Result<OperationFilter> readFilter(Api api, const Query& query) {
  OperationFilter out;
  const auto active = flag(query, "active");
  if (!active) return fail(active.error());
  out.active = *active;
  const auto limit = wholeNumber(query, "limit", 1, kMostOperations, kUsualOperations);
  if (!limit) return fail(limit.error());
  out.limit = *limit;
  if (const auto key = parameter(query, "vm")) {
    const auto vm = vmOfOperations(api, *key);
    if (!vm) return fail(vm.error());
    out.vm = *vm;
  }
  return out;
}

}  // namespace

asio::awaitable<Outcome> migrateVm(Api api, Request request) {
  auto wish = readMigrate(request);
  if (!wish) co_return refuse(std::move(wish.error()));
  const auto answer = co_await api.decisions.migrate(request.path[0], std::move(*wish));
  if (!answer) co_return refuse(answer.error());
  auto body = text(migrateJson(*answer));
  co_return answer->operation ? accepted(std::move(body)) : ok(std::move(body));
}

asio::awaitable<Outcome> listOperations(Api api, Request request) {
  const auto filter = readFilter(api, request.query);
  if (!filter) co_return refuse(filter.error());
  const auto operations = api.decisions.operations(*filter);
  if (!operations) co_return refuse(operations.error());
  ListBody list;
  for (const auto& operation : *operations) {
    list.add(wire::json(operation));
    if (list.due()) co_await breathe();
  }
  co_return ok(list.finish(std::nullopt));
}

Outcome getOperation(Api api, const Request& request) {
  const auto operation = api.decisions.operation(request.path[0]);
  if (!operation) return refuse(operation.error());
  return ok(text(wire::json(*operation)));
}

asio::awaitable<Outcome> abortOperation(Api api, Request request) {
  const auto fenced = readFenced(request);
  if (!fenced) co_return refuse(fenced.error());
  const auto operation = co_await api.decisions.abort(request.path[0], *fenced);
  if (!operation) co_return refuse(operation.error());
  co_return accepted(text(wire::json(*operation)));
}

}  // namespace virtseer::api

#include "daemon/operation_journal.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "wire/wire.h"

namespace virtseer::daemon {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kPrefix = "operation/";

std::string keyOf(const Operation& operation) {
  return fmt::format("{}{}/{}", kPrefix, name(operation.kind), operation.id);
}

}  // namespace

asio::awaitable<Result<void>> OperationJournal::write(Operation operation) {
  if (!store_.open_on_disk())
    co_return fail(
        Code::unreachable,
        "operations are not begun while the store on disk does not serve: " + store_.problem());
  auto text = wire::text(wire::record(operation));
  if (!text) co_return fail(text.error().in("the operation cannot be kept"));
  store_.settings().put(keyOf(operation), std::move(*text));
  co_return co_await store_.durable();
}

void OperationJournal::forget(const Operation& operation) {
  store_.settings().erase(keyOf(operation));
  store_.touched();
}

std::vector<Operation> OperationJournal::all() {
  std::vector<Operation> out;
  for (const auto& [key, text] : store_.settings().list(std::string(kPrefix))) {
    auto read = wire::operation(text);
    if (read)
      out.push_back(std::move(*read));
    else
      unreadable_(key, read.error().message);
  }
  return out;
}

}  // namespace virtseer::daemon

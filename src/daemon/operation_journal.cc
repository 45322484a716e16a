#include "daemon/operation_journal.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
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
  // Bytes that are not UTF-8 can only come from a hostile definition; such a one is not begun.
  std::string text;
  try {
    text = wire::record(operation).dump();
  } catch (const nlohmann::json::exception& error) {
    co_return fail(Code::invalid, std::string("the operation cannot be kept: ") + error.what());
  }
  store_.settings().put(keyOf(operation), std::move(text));
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
      log(Level::error, printable(key) + ": " + read.error().message);
  }
  return out;
}

}  // namespace virtseer::daemon

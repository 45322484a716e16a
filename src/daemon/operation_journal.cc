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
  const auto key = keyOf(operation);
  auto before = store_.settings().get(key);
  store_.settings().put(key, *text);
  auto kept = co_await store_.durable();
  if (!kept) takeBack(key, *text, std::move(before));
  co_return kept;
}

/// The store tries again by itself: what its caller was told is not written must not be later.
void OperationJournal::takeBack(const std::string& key, const std::string& text,
                                std::optional<std::string> before) {
  auto& settings = store_.settings();
  if (settings.get(key) != text) return;
  if (before)
    settings.put(key, std::move(*before));
  else
    settings.erase(key);
  store_.touched();
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

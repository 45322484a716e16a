#include <nlohmann/json.hpp>

#include "api/body.h"
#include "api/care_json.h"
#include "api/handlers.h"
#include "api/json.h"

/// What helps a person to have everything seen.
namespace virtseer::api {

namespace asio = boost::asio;

asio::awaitable<Outcome> enrollVm(Api api, Request request) {
  auto wish = readEnroll(request);
  if (!wish) co_return refuse(std::move(wish.error()));
  const auto report = co_await api.decisions.enroll(request.path[0], std::move(*wish));
  if (!report) co_return refuse(report.error());
  co_return ok(text(enrollJson(*report)));
}

asio::awaitable<Outcome> getDoctor(Api api, Request) {
  const auto answer = co_await api.decisions.doctor();
  if (!answer) co_return refuse(answer.error());
  co_return ok(text(doctorJson(*answer)));
}

}  // namespace virtseer::api

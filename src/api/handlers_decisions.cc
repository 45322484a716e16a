#include <nlohmann/json.hpp>

#include "api/body.h"
#include "api/decisions_json.h"
#include "api/handlers.h"
#include "api/json.h"

/// What is foreseen and decided, and what a person says about it.
namespace virtseer::api {

namespace asio = boost::asio;

Outcome getForecast(Api api, const Request& request) {
  const auto answer = api.decisions.forecast(request.path[0]);
  if (!answer) return refuse(answer.error());
  return ok(text(forecastJson(*answer)));
}

Outcome getPlan(Api api, const Request&) {
  const auto plan = api.decisions.plan();
  if (!plan)
    return refuse(Error{Code::not_found,
                        "no plan was made since the daemon started; the first one comes with the "
                        "next round, see [plan] of the configuration"});
  return ok(text(planJson(*plan)));
}

asio::awaitable<Outcome> getRanking(Api api, Request request) {
  const auto ranking = co_await api.decisions.rank(request.path[0]);
  if (!ranking) co_return refuse(ranking.error());
  co_return ok(text(rankingJson(*ranking)));
}

Outcome getExplanation(Api api, const Request& request) {
  const auto explanation = api.decisions.explain(request.path[0]);
  if (!explanation) return refuse(explanation.error());
  return ok(text(explanationJson(*explanation)));
}

Outcome getPolicy(Api api, const Request& request) {
  const auto view = api.decisions.policy(request.path[0]);
  if (!view) return refuse(view.error());
  return ok(text(policyJson(*view)));
}

Outcome getAutomation(Api api, const Request&) {
  return ok(text(automationJson(api.decisions.automation())));
}

asio::awaitable<Outcome> setAutomation(Api api, Request request) {
  const auto on = readOn(request);
  if (!on) co_return refuse(on.error());
  const auto now = co_await api.decisions.setAutomation(*on);
  if (!now) co_return refuse(now.error());
  co_return ok(text(automationJson(*now)));
}

asio::awaitable<Outcome> setMaintenance(Api api, Request request) {
  const auto on = readOn(request);
  if (!on) co_return refuse(on.error());
  const auto done = co_await api.decisions.setMaintenance(request.path[0], *on);
  if (!done) co_return refuse(done.error());
  co_return ok(text(Json{{"host", request.path[0]}, {"maintenance", *on}}));
}

}  // namespace virtseer::api

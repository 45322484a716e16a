#pragma once

#include "api/decisions.h"
#include "api/json.h"
#include "model/plan.h"

/// What was foreseen and decided in the shapes of openapi.yaml, as json.h says. Operations and what
/// only daemons exchange are src/wire's. Pure.
namespace virtseer::api {

Json forecastJson(const ForecastAnswer& answer);
Json planJson(const Plan& plan);
Json planStepJson(const PlanStep& step);
Json rankingJson(const Ranking& ranking);
Json rankedHostJson(const RankedHost& host);
Json explanationJson(const Explanation& explanation);
Json policyJson(const PolicyView& view);
Json automationJson(const Automation& automation);
Json migrateJson(const MigrateAnswer& answer);

}  // namespace virtseer::api

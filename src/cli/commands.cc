#include "cli/commands.h"

#include <fmt/format.h>

#include "cli/body.h"
#include "cli/care_tables.h"
#include "cli/decision_tables.h"
#include "cli/echo_tables.h"
#include "cli/operation_tables.h"
#include "cli/tables.h"
#include "virtseer/api/exit_codes.h"

namespace virtseer::cli {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

/// Collects the parts of a query that are not empty.
class Query {
 public:
  explicit Query(std::string path) : target_("/api/v1/" + std::move(path)) {}
  Query& add(std::string_view key, const std::string& value) {
    if (!value.empty())
      target_ += fmt::format("{}{}={}", first_ ? "?" : "&", key, percentEncoded(value)),
          first_ = false;
    return *this;
  }
  std::string take() { return std::move(target_); }

 private:
  std::string target_;
  bool first_ = true;
};

Request get(std::string path) {
  return {Request::Method::get, Query(std::move(path)).take(), ""};
}

Request post(std::string path, const Json& body) {
  return {Request::Method::post, Query(std::move(path)).take(), body.dump()};
}

/// A span is one before now.
std::string moment(const std::string& text) {
  return parseDuration(text) ? "-" + text : text;
}

Request series(const ShowSeries& command, std::string_view kind) {
  Query query(fmt::format("{}/{}/series", kind, percentEncoded(command.name)));
  query.add("metric", command.metric);
  for (std::string label : command.labels) {
    label[label.find('=')] = ':';
    query.add("label", label);
  }
  query.add("source", command.source)
      .add("from", moment(command.from))
      .add("to", moment(command.to));
  query.add("step", command.step).add("aggregation", command.aggregation);
  return {Request::Method::get, query.take(), ""};
}

Request events(const ShowEvents& command) {
  Query query("events");
  query.add("entity", command.vm).add("from", moment(command.from)).add("to", moment(command.to));
  query.add("severity", command.severity).add("kind", command.kind);
  query.add("limit", command.limit ? fmt::format("{}", *command.limit) : "");
  query.add("cursor", command.before ? fmt::format("{}", *command.before) : "");
  return {Request::Method::get, query.take(), ""};
}

Request load(const OrderLoad& command) {
  const Json body{{"cpu_cores", command.cpu_cores},
                  {"memory_bytes", command.memory_bytes},
                  {"disk_bytes_per_second", command.disk_bytes_per_second},
                  {"ramp_ms", command.ramp.count()},
                  {"duration_ms", command.duration.count()}};
  return post(fmt::format("vms/{}/load", percentEncoded(command.vm)), body);
}

Request top(const ShowTop& command) {
  Query query(
      fmt::format("vms/{}/tables/{}", percentEncoded(command.vm), percentEncoded(command.table)));
  query.add("at", moment(command.at));
  return {Request::Method::get, query.take(), ""};
}

/// Asks where nothing is to be changed.
Request collection(const ShowCollection& command) {
  const auto path = fmt::format("vms/{}/collection", percentEncoded(command.vm));
  Json body = Json::object();
  if (command.defaults)
    body = {{"interval_ms", nullptr}, {"top_processes", nullptr}, {"collectors", nullptr}};
  if (command.interval) body["interval_ms"] = command.interval->count();
  if (command.top) body["top_processes"] = *command.top;
  if (!command.collectors.empty()) body["collectors"] = command.collectors;
  return body.empty() ? get(path) : post(path, body);
}

Request migrate(const MigrateVm& command) {
  Json body{{"dry_run", command.dry_run}};
  if (!command.to.empty()) body["to"] = command.to;
  if (command.copy_storage) body["copy_storage"] = true;
  return post(fmt::format("vms/{}/migrate", percentEncoded(command.vm)), body);
}

Request operations(const ShowOperations& command) {
  Query query("operations");
  query.add("active", command.active ? "true" : "").add("vm", command.vm);
  query.add("limit", command.limit ? fmt::format("{}", *command.limit) : "");
  return {Request::Method::get, query.take(), ""};
}

Request enroll(const EnrollVm& command) {
  Json body{{"dry_run", command.dry_run}, {"remove", command.remove}};
  if (command.next_start) body["next_start"] = true;
  if (!command.way.empty()) body["way"] = command.way;
  if (!command.address.empty()) body["address"] = command.address;
  return post(fmt::format("vms/{}/enroll", percentEncoded(command.vm)), body);
}

Request ofVm(const std::string& vm, std::string_view what) {
  return get(fmt::format("vms/{}/{}", percentEncoded(vm), what));
}

/// The exit code of an answer that came: plans may hold nothing to do, a dry run may not fit.
int exitCodeOf(const Command& command, const std::string& body) {
  if (std::holds_alternative<ShowPlan>(command) && !planHasSteps(body)) return api::kNothingToDo;
  if (std::holds_alternative<MigrateVm>(command) && !migrateFits(body)) return api::kRefused;
  if (std::holds_alternative<EnrollVm>(command) && !enrollFits(body)) return api::kRefused;
  if (const auto* doctor = std::get_if<ShowDoctor>(&command);
      doctor && doctorAlarms(body, doctor->strict))
    return api::kFailed;
  return api::kDone;
}

Result<std::string> table(const Command& command, const std::string& body, Timestamp now,
                          std::size_t room) {
  return std::visit(
      Overloaded{
          [&](const ShowStatus&) { return statusText(body, now); },
          [&](const ShowHosts&) { return hostsTable(body, now, room); },
          [&](const ShowVms&) { return vmsTable(body, room); },
          [&](const ShowVm& show) {
            return show.echo ? echoText(body, now, room) : vmText(body, now);
          },
          [&](const ShowTop&) { return guestTableText(body, now, room); },
          [&](const ShowCollection&) { return collectionText(body); },
          [&](const ShowSeries& show) {
            return show.metric.empty() ? seriesNamesTable(body, room) : seriesTable(body);
          },
          [&](const ShowEvents&) { return eventsTable(body, room); },
          [&](const OrderLoad& order) { return loadText(body, order.vm, order.duration); },
          [&](const ShowForecast&) { return forecastText(body, room); },
          [&](const ShowPlan&) { return planText(body, now, room); },
          [&](const RankHosts&) { return rankingText(body, room); },
          [&](const Explain&) { return explanationText(body); },
          [&](const MigrateVm&) { return migrateText(body, room); },
          [&](const ShowOperations&) { return operationsTable(body, now, room); },
          [&](const ShowOperation&) { return operationText(body, now, room); },
          [&](const AbortOperation& abort) { return abortText(body, abort.fenced); },
          [&](const ShowPolicy&) { return policyText(body, room); },
          [&](const SetMaintenance& set) { return maintenanceText(body, set.host); },
          [&](const Automate&) { return automationText(body, now); },
          [&](const EnrollVm&) { return enrollText(body, room); },
          [&](const ShowDoctor&) { return doctorText(body); },
          [](const auto&) -> Result<std::string> { return fail(Code::failed, "has no table"); },
      },
      command);
}

}  // namespace

Request requestOf(const Command& command) {
  return std::visit(
      Overloaded{
          [](const ShowStatus&) { return get("health"); },
          [](const ShowHosts&) { return get("hosts"); },
          [](const ShowVms& show) { return get(show.gone ? "vms?gone=true" : "vms"); },
          [](const ShowVm& show) {
            return show.echo ? ofVm(show.name, "echo") : get("vms/" + percentEncoded(show.name));
          },
          [](const ShowTop& show) { return top(show); },
          [](const ShowCollection& show) { return collection(show); },
          [](const ShowSeries& show) { return series(show, "vms"); },
          [](const ShowEvents& show) { return events(show); },
          [](const OrderLoad& order) { return load(order); },
          [](const ShowForecast& show) { return ofVm(show.vm, "forecast"); },
          [](const ShowPlan&) { return get("plan"); },
          [](const RankHosts& rank) { return ofVm(rank.vm, "ranking"); },
          [](const Explain& explain) { return get("explanations/" + percentEncoded(explain.id)); },
          [](const MigrateVm& command) { return migrate(command); },
          [](const ShowOperations& show) { return operations(show); },
          [](const ShowOperation& show) { return get("operations/" + percentEncoded(show.id)); },
          [](const AbortOperation& abort) {
            return post(fmt::format("operations/{}/abort", percentEncoded(abort.id)),
                        abort.fenced ? Json{{"fenced", true}} : Json::object());
          },
          [](const ShowPolicy& show) { return ofVm(show.vm, "policy"); },
          [](const SetMaintenance& set) {
            return post(fmt::format("hosts/{}/maintenance", percentEncoded(set.host)),
                        {{"on", set.on}});
          },
          [](const Automate& automate) {
            return automate.on ? post("automation", {{"on", *automate.on}}) : get("automation");
          },
          [](const EnrollVm& command) { return enroll(command); },
          [](const ShowDoctor&) { return get("doctor"); },
          [](const auto&) { return Request{}; },
      },
      command);
}

Request hostSeries(const ShowSeries& command) {
  return series(command, "hosts");
}

Outcome ask(const Command& command, Output output, const Transport& transport, Timestamp now,
            std::size_t room) {
  auto reply = transport(requestOf(command));
  if (const auto* show = std::get_if<ShowSeries>(&command); show && reply && reply->status == 404) {
    auto host = transport(hostSeries(*show));
    if (!host || host->status != 404) reply = std::move(host);
  }
  if (!reply) return unanswered(reply.error());
  if (exitCodeOf(reply->status) != api::kDone) return refusedBy(*reply, output);
  Outcome outcome{exitCodeOf(command, reply->body), "", ""};
  if (output == Output::json) {
    outcome.out = std::move(reply->body);
    return outcome;
  }
  auto text = table(command, reply->body, now, room);
  if (!text) return nonsense(text.error());
  outcome.out = std::move(*text);
  return outcome;
}

Outcome enrollAndShowToken(const EnrollVm& command, const Transport& transport, Timestamp now,
                           bool terminal, std::size_t room) {
  if (!terminal)
    return {api::kUsage, "", "virtseer: a token is shown on a terminal only; its file is told\n"};
  std::string body;
  const auto watched = [&](const Request& request) {
    auto reply = transport(request);
    if (reply) body = reply->body;
    return reply;
  };
  auto outcome = ask(command, Output::table, watched, now, room);
  const auto file = outcome.exit_code == api::kDone ? tokenFileOf(body) : std::string();
  if (file.empty() || command.dry_run) return outcome;
  const auto token = readToken(file);
  if (token)
    outcome.out += fmt::format("\nthe token, which proves who this guest is\n  {}\n", *token);
  else
    outcome.err += fmt::format("virtseer: {}\n", token.error().message);
  return outcome;
}

}  // namespace virtseer::cli

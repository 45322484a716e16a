#include "cli/commands.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
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
  const nlohmann::json body{{"cpu_cores", command.cpu_cores},
                            {"memory_bytes", command.memory_bytes},
                            {"disk_bytes_per_second", command.disk_bytes_per_second},
                            {"ramp_ms", command.ramp.count()},
                            {"duration_ms", command.duration.count()}};
  return {Request::Method::post,
          Query(fmt::format("vms/{}/load", percentEncoded(command.vm))).take(), body.dump()};
}

Request get(std::string path) {
  return {Request::Method::get, Query(std::move(path)).take(), ""};
}

int exitCodeOf(unsigned status) {
  if (status >= 200 && status < 300) return api::kDone;
  if (status == 400) return api::kUsage;
  if (status == 401 || status == 403 || status == 421) return api::kRefused;
  return api::kFailed;
}

int exitCodeOf(Code code) {
  if (code == Code::unreachable || code == Code::timeout) return api::kNotReachable;
  return code == Code::invalid ? api::kUsage : api::kFailed;
}

/// What a problem document says, for a person.
std::string problemText(const Reply& reply) {
  const auto problem = nlohmann::json::parse(reply.body, nullptr, false);
  if (problem.is_object())
    for (const char* field : {"detail", "title"})
      if (const auto text = problem.find(field); text != problem.end() && text->is_string())
        return printable(text->get<std::string>());
  return fmt::format("the daemon answered with status {}", reply.status);
}

Result<std::string> table(const Command& command, const std::string& body, Timestamp now,
                          std::size_t room) {
  return std::visit(
      Overloaded{
          [&](const ShowStatus&) { return statusText(body, now); },
          [&](const ShowHosts&) { return hostsTable(body, room); },
          [&](const ShowVms&) { return vmsTable(body, room); },
          [&](const ShowVm&) { return vmText(body, now); },
          [&](const ShowSeries& show) {
            return show.metric.empty() ? seriesNamesTable(body, room) : seriesTable(body);
          },
          [&](const ShowEvents&) { return eventsTable(body, room); },
          [&](const OrderLoad& order) { return loadText(body, order.vm, order.duration); },
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
          [](const ShowVm& show) { return get("vms/" + percentEncoded(show.name)); },
          [](const ShowSeries& show) { return series(show, "vms"); },
          [](const ShowEvents& show) { return events(show); },
          [](const OrderLoad& order) { return load(order); },
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
  if (!reply)
    return {exitCodeOf(reply.error().code), "",
            fmt::format("virtseer: {}\n", reply.error().message)};
  const int code = exitCodeOf(reply->status);
  Outcome outcome{code, output == Output::json ? reply->body : "", ""};
  if (code != api::kDone) {
    outcome.err = fmt::format("virtseer: {}\n", problemText(*reply));
  } else if (output == Output::table) {
    auto text = table(command, reply->body, now, room);
    if (text)
      outcome.out = std::move(*text);
    else
      outcome = {api::kFailed, "", fmt::format("virtseer: {}\n", text.error().message)};
  }
  return outcome;
}

}  // namespace virtseer::cli

#include "api/echo_json.h"

#include <algorithm>
#include <utility>

#include "api/json_parts.h"

namespace virtseer::api {
namespace {

constexpr std::string_view kCostPrefix = "guest_agent_";
constexpr std::size_t kValuesAtOnce = 64;

/// Without the line's end.
std::string compact(const Json& json) {
  std::string out = text(json);
  out.pop_back();
  return out;
}

Json texts(const std::map<std::string, std::string>& map) {
  Json out = Json::object();
  for (const auto& [key, text] : map) out[key] = text;
  return out;
}

Json valueJson(const EchoValue& value, std::optional<Timestamp> newest) {
  return {{"metric", value.name.metric},
          {"labels", texts(value.name.labels)},
          {"kind", value.name.kind == Kind::counter ? "counter" : "gauge"},
          {"value", number(value.value)},
          {"rate_per_second", number(value.rate_per_second)},
          {"time", value.time == newest ? Json(nullptr) : Json(rfc3339(value.time))}};
}

/// What the agent itself costs: gauges as they are, of counters how fast they grow.
Json costJson(const std::vector<EchoValue>& values) {
  Json out = Json::object();
  for (const auto& value : values) {
    std::string name = value.name.metric;
    if (!name.starts_with(kCostPrefix) || !value.name.labels.empty()) continue;
    name.erase(0, kCostPrefix.size());
    if (value.name.kind == Kind::gauge) {
      out[name] = number(value.value);
      continue;
    }
    if (name.ends_with("_total")) name.resize(name.size() - 6);
    out[name + "_per_second"] = number(value.rate_per_second);
  }
  return out;
}

Json cellJson(const echo::Cell& cell) {
  if (const auto* value = std::get_if<double>(&cell)) return number(*value);
  if (const auto* words = std::get_if<std::string>(&cell)) return *words;
  return nullptr;
}

Json rowsJson(const echo::Table& table) {
  Json rows = Json::array();
  const std::size_t width = table.columns.size();
  for (std::size_t row = 0; row < table.rows(); ++row) {
    Json cells = Json::array();
    for (std::size_t i = 0; i < width; ++i) cells.push_back(cellJson(table.cells[row * width + i]));
    rows.push_back(std::move(cells));
  }
  return rows;
}

Json tableJson(const TableView& view) {
  return {{"time", rfc3339(view.time)},
          {"columns", view.table.columns},
          {"rows", rowsJson(view.table)}};
}

Json collectorsJson(const std::optional<std::vector<std::string>>& collectors) {
  if (!collectors) return nullptr;
  return Json(*collectors);
}

}  // namespace

EchoBody::EchoBody(EchoView view) : view_(std::move(view)) {
  const Json head{{"vm", view_.vm.text()},
                  {"vm_name", view_.vm_name},
                  {"time", orNull(view_.time)},
                  {"sequence", known(view_.agent.sequence)},
                  {"epoch", known(view_.agent.epoch)},
                  {"interval_ms", orNull(view_.agent.interval_ms)},
                  {"agent_version", known(view_.agent.agent_version)},
                  {"sources", texts(view_.agent.sources)},
                  {"cost", costJson(view_.values)}};
  out_ = compact(head);
  out_.pop_back();
  out_ += ",\"values\":[";
}

bool EchoBody::step() {
  if (value_ < view_.values.size()) {
    const auto end = std::min(value_ + kValuesAtOnce, view_.values.size());
    for (; value_ < end; ++value_) {
      if (value_ > 0) out_ += ',';
      out_ += compact(valueJson(view_.values[value_], view_.time));
    }
    return true;
  }
  if (!std::exchange(tables_begun_, true)) out_ += "],\"tables\":{";
  if (table_ < view_.tables.size()) {
    const auto& table = view_.tables[table_];
    if (table_++ > 0) out_ += ',';
    out_ += compact(table.table.name) + ":" + compact(tableJson(table));
    return true;
  }
  if (!ended_) {
    Json happenings = Json::array();
    for (const auto& event : view_.happenings)
      happenings.push_back(eventJson(event, view_.vm_name));
    out_ += "},\"happenings\":" + compact(happenings) + "}\n";
    ended_ = true;
  }
  return false;
}

Json vmTableJson(const VmTable& table) {
  return {{"vm", table.vm.text()},
          {"vm_name", table.vm_name},
          {"name", table.view.table.name},
          {"time", rfc3339(table.view.time)},
          {"columns", table.view.table.columns},
          {"rows", rowsJson(table.view.table)}};
}

Json collectionJson(const CollectionView& view) {
  const auto& [interval, top, collectors] = view.own;
  return {{"vm", view.vm.text()},
          {"vm_name", view.vm_name},
          {"interval_ms", orNull(view.in_force.interval_ms)},
          {"top_processes", orNull(view.in_force.top_processes)},
          {"collectors", collectorsJson(view.in_force.collectors)},
          {"own", Json{{"interval_ms", orNull(interval)},
                       {"top_processes", orNull(top)},
                       {"collectors", collectorsJson(collectors)}}},
          {"connected", view.connected}};
}

}  // namespace virtseer::api

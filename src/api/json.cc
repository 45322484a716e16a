#include "api/json.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "api/care_json.h"
#include "api/json_parts.h"

namespace virtseer::api {
namespace {

/// How much text may be written before the loop serves others: well under a millisecond.
constexpr std::size_t kBreathBytes = 32 * 1024;

Json object(const std::map<std::string, std::string>& entries) {
  Json out = Json::object();
  for (const auto& [key, value] : entries) out[key] = value;
  return out;
}

std::string_view kindName(Kind kind) {
  return kind == Kind::counter ? "counter" : "gauge";
}

Json usageJson(const VmUsage& usage) {
  return {{"window_seconds", number(usage.window_seconds)},
          {"cpu_cores", number(usage.cpu_cores)},
          {"cpu_delay_cores", number(usage.cpu_delay_cores)},
          {"guest_cpu_cores", number(usage.guest_cpu_cores)},
          {"memory_used_bytes", number(usage.memory_used_bytes)},
          {"memory_total_bytes", number(usage.memory_total_bytes)},
          {"memory_rss_bytes", number(usage.memory_rss_bytes)},
          {"swap_used_bytes", number(usage.swap_used_bytes)},
          {"disk_read_bytes_per_second", number(usage.disk_read_bytes_per_second)},
          {"disk_write_bytes_per_second", number(usage.disk_write_bytes_per_second)},
          {"disk_read_latency_seconds", number(usage.disk_read_latency_seconds)},
          {"disk_write_latency_seconds", number(usage.disk_write_latency_seconds)},
          {"network_receive_bytes_per_second", number(usage.network_receive_bytes_per_second)},
          {"network_transmit_bytes_per_second", number(usage.network_transmit_bytes_per_second)},
          {"pressure_cpu_ratio", number(usage.pressure_cpu_ratio)},
          {"pressure_memory_ratio", number(usage.pressure_memory_ratio)},
          {"pressure_io_ratio", number(usage.pressure_io_ratio)},
          {"work_units_per_second", number(usage.work_units_per_second)}};
}

Json agentJson(const AgentLink& agent) {
  const bool spoke = agent.epoch != 0;
  return {{"state", name(agent.state)},
          {"reason", known(agent.reason)},
          {"version", known(agent.agent_version)},
          {"epoch", known(agent.epoch)},
          {"sequence", spoke ? Json(agent.sequence) : Json(nullptr)},
          {"interval_ms", orNull(agent.interval_ms)},
          {"last_echo", orNull(agent.last_echo)},
          {"caller", known(agent.caller)},
          {"echoes", agent.echoes},
          {"duplicates", agent.duplicates},
          {"lost", agent.lost},
          {"faults", agent.faults},
          {"sources", object(agent.sources)}};
}

Json environmentJson(const EnvironmentHealth& environment) {
  return {{"uri", environment.uri},
          {"connected", environment.connected},
          {"error", known(environment.error)},
          {"since", orNull(environment.since)},
          {"reconnects", environment.reconnects},
          {"calls_timed_out", environment.calls_timed_out},
          {"calls_stuck", environment.calls_stuck}};
}

Json storeJson(const Health& health) {
  return {{"open", health.store_open},
          {"error", known(health.store_error)},
          {"rows", health.rows},
          {"samples", health.samples},
          {"late_rows", health.late},
          {"overflow_rows", health.overflow},
          {"damaged", health.damaged},
          {"streams", health.streams},
          {"series", health.series},
          {"journal_bytes", health.journal_bytes},
          {"disk_bytes", health.disk_bytes}};
}

Json seriesHead(StreamId stream, const SeriesName& series) {
  return {{"entity", stream.entity.text()},
          {"source", name(stream.source)},
          {"metric", series.metric},
          {"labels", object(series.labels)}};
}

void appendTwo(std::string& out, unsigned value) {
  out += static_cast<char>('0' + value / 10 % 10);
  out += static_cast<char>('0' + value % 10);
}

/// As rfc3339(), several times faster: a long answer has a hundred thousand of them.
void appendTime(std::string& out, Timestamp time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const int year = static_cast<int>(date.year());
  if (year < 0 || year > 9999) {
    out += rfc3339(time);
    return;
  }
  const auto ms = static_cast<unsigned>((time - day).count());
  appendTwo(out, static_cast<unsigned>(year) / 100);
  appendTwo(out, static_cast<unsigned>(year) % 100);
  out += '-';
  appendTwo(out, static_cast<unsigned>(date.month()));
  out += '-';
  appendTwo(out, static_cast<unsigned>(date.day()));
  out += 'T';
  appendTwo(out, ms / 3'600'000);
  out += ':';
  appendTwo(out, ms / 60'000 % 60);
  out += ':';
  appendTwo(out, ms / 1000 % 60);
  out += '.';
  out += static_cast<char>('0' + ms % 1000 / 100);
  appendTwo(out, ms % 100);
  out += 'Z';
}

std::string compact(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Json hostJson(const HostView& view) {
  const Host& host = view.host;
  const HostUsage& usage = view.usage;
  const bool sized = !host.capacity.origin.empty();
  return {{"uuid", host.uuid.isNil() ? Json(nullptr) : Json(host.uuid.text())},
          {"name", host.name},
          {"self", host.self},
          {"answers", view.answers},
          {"maintenance", view.maintenance},
          {"heard", orNull(view.heard)},
          {"error", known(view.error)},
          {"cpu_model", known(host.cpu_model)},
          {"cpus_online", known(host.cpus_online)},
          {"memory_bytes", known(host.memory_bytes)},
          {"capacity",
           {{"cpus", sized ? number(host.capacity.cpus) : Json(nullptr)},
            {"memory_bytes", sized ? Json(host.capacity.memory_bytes) : Json(nullptr)},
            {"origin", known(host.capacity.origin)}}},
          {"kernel", known(host.kernel)},
          {"libvirt_version", known(host.libvirt_version)},
          {"qemu_version", known(host.qemu_version)},
          {"usage",
           {{"cpu_cores", number(usage.cpu_cores)},
            {"memory_used_bytes", number(usage.memory_used_bytes)},
            {"pressure_cpu_ratio", number(usage.pressure_cpu_ratio)},
            {"pressure_memory_ratio", number(usage.pressure_memory_ratio)},
            {"pressure_io_ratio", number(usage.pressure_io_ratio)},
            {"vms_cpu_cores", number(usage.vms_cpu_cores)},
            {"vms_cpu_delay_cores", number(usage.vms_cpu_delay_cores)},
            {"vms_running", orNull(usage.vms_running)},
            {"vms_total", orNull(usage.vms_total)}}}};
}

Json vmJson(const VmView& view) {
  const Vm& vm = view.vm;
  Json inputs = Json::array(), missing = Json::array();
  for (const auto& input : view.inputs) inputs.push_back(input);
  for (const auto& input : view.missing_inputs) missing.push_back(input);
  return {{"uuid", vm.uuid.text()},
          {"name", vm.name},
          {"host_uuid", view.host.isNil() ? Json(nullptr) : Json(view.host.text())},
          {"host_name", known(view.host_name)},
          {"environment", known(vm.environment)},
          {"state", name(vm.state)},
          {"role", name(vm.role)},
          {"persistent", vm.persistent},
          {"autostart", vm.autostart},
          {"vcpus", orNull(vm.vcpus)},
          {"vcpus_maximum", orNull(vm.vcpus_maximum)},
          {"memory_bytes", orNull(vm.memory_bytes)},
          {"memory_maximum_bytes", orNull(vm.memory_maximum_bytes)},
          {"has_channel", vm.has_channel},
          {"balloon_period_seconds", orNull(vm.balloon_period_s)},
          {"agent", agentJson(view.agent)},
          {"usage", usageJson(view.usage)},
          {"inputs", std::move(inputs)},
          {"missing_inputs", std::move(missing)},
          {"timed_out", view.timed_out},
          {"last_seen", orNull(view.last_seen)},
          {"guest", view.guest ? guestJson(*view.guest) : Json(nullptr)}};
}

Json healthJson(const Health& health) {
  Json problems = Json::array(), environments = Json::array();
  for (const auto& problem : health.problems) problems.push_back(problem);
  for (const auto& environment : health.environments)
    environments.push_back(environmentJson(environment));
  return {{"status", health.problems.empty() ? "ok" : "degraded"},
          {"version", health.version},
          {"started", rfc3339(health.started)},
          {"problems", std::move(problems)},
          {"environments", std::move(environments)},
          {"maintenance", health.maintenance},
          {"automation", health.automation},
          {"store", storeJson(health)},
          {"echo",
           {{"agents_connected", health.agents_connected},
            {"duplicates", health.echo_duplicates},
            {"lost", health.echo_lost},
            {"faults", health.echo_faults},
            {"happenings", health.happenings},
            {"happenings_dropped", health.happenings_dropped},
            {"tables_dropped", health.tables_dropped}}},
          {"collect",
           {{"missed_beats", health.missed_beats},
            {"refused_values", health.refused_values},
            {"link_failures", health.link_failures}}},
          {"events_dropped", health.events_dropped},
          {"requests_refused", health.requests_refused},
          {"loop_lag_seconds_max", number(health.loop_lag_seconds_max)},
          {"cpu_seconds", number(health.cpu_seconds)},
          {"rss_bytes", known(health.rss_bytes)}};
}

Json eventJson(const Event& event, const std::string& entity_name) {
  return {{"id", event.id},
          {"time", rfc3339(event.time)},
          {"severity", name(event.severity)},
          {"kind", event.kind},
          {"entity", event.entity ? Json(event.entity->text()) : Json(nullptr)},
          {"entity_name", known(entity_name)},
          {"message", event.message},
          {"fields", object(event.fields)}};
}

Json seriesNameJson(const SeriesView& view) {
  Json out = seriesHead(view.stream, view.name);
  out["kind"] = kindName(view.name.kind);
  out["last"] = orNull(view.last);
  return out;
}

Json latestJson(const LatestView& view) {
  Json out = seriesHead(view.stream, view.name);
  out["kind"] = kindName(view.name.kind);
  out["time"] = rfc3339(view.time);
  out["value"] = number(view.value);
  return out;
}

Json problemJson(const Problem& problem, std::string_view request_id) {
  return {{"type", "urn:virtseer:problem:" + problem.code},
          {"title", reason(problem.status)},
          {"status", problem.status},
          {"detail", problem.detail},
          {"code", problem.code},
          {"request_id", request_id}};
}

std::string text(const Json& json) {
  return compact(json) + "\n";
}

void ListBody::add(const Json& item) {
  open() += compact(item);
}

std::string& ListBody::open() {
  if (!first_) out_ += ',';
  first_ = false;
  return out_;
}

bool ListBody::due() {
  if (out_.size() - paused_at_ < kBreathBytes) return false;
  paused_at_ = out_.size();
  return true;
}

std::string ListBody::finish(const std::optional<std::string>& next) {
  return finish("", next);
}

std::string ListBody::finish(std::string_view members, const std::optional<std::string>& next) {
  out_ += ']';
  out_ += members;
  out_ += ",\"next\":";
  out_ += compact(orNull(next));
  out_ += "}\n";
  return std::move(out_);
}

void openSeries(std::string& out, const Series& series) {
  std::string head = compact(seriesHead(series.stream, series.name));
  head.pop_back();
  out += head;
  out += ",\"points\":[";
}

void appendPoint(std::string& out, const Point& point, bool first) {
  out += first ? "{\"time\":\"" : ",{\"time\":\"";
  appendTime(out, point.time);
  out += "\",\"value\":";
  appendNumber(out, point.value);
  out += '}';
}

void closeSeries(std::string& out) {
  out += "]}";
}

void appendNumber(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

}  // namespace virtseer::api

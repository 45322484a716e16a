#include "api/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "api/metric_catalogue.h"
#include "base/text.h"

namespace virtseer::api {
namespace {

/// Of one VM, at most and about: two horizons, two targets, four probabilities.
constexpr std::size_t kSamplesOfForecasts = 16;

bool isLower(char c) {
  return c >= 'a' && c <= 'z';
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

/// snake_case, as all of ours are; the format would allow more.
bool isName(std::string_view name) {
  if (name.empty() || name.size() > echo::kMaxNameBytes || isDigit(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return isLower(c) || isDigit(c) || c == '_'; });
}

/// Prometheus keeps names with two underscores for itself.
bool isLabelName(std::string_view name) {
  return isName(name) && !name.starts_with("__");
}

/// As Prometheus does with a target's own labels: those that say whose a series is, and what it
/// keeps for histograms and summaries, have a label of the same name give way.
std::string shownLabel(const std::string& name) {
  static constexpr std::array<std::string_view, 5> kTaken{"domain", "uuid", "host", "le",
                                                          "quantile"};
  return std::ranges::find(kTaken, name) == kTaken.end() ? name : "exported_" + name;
}

/// True if another label of the series is shown by this name.
template <class Labels>
bool isTaken(std::string_view name, const Labels& labels) {
  static constexpr std::string_view kExported = "exported_";
  return name.starts_with(kExported) && std::ranges::any_of(labels, [&](const auto& other) {
           return other.first == name.substr(kExported.size()) && shownLabel(other.first) == name;
         });
}

/// Under which name a series is shown, see MetricsText.
std::string shownName(Source source, const std::string& metric) {
  switch (source) {
    case Source::guest:
      if (metric.starts_with("guest_") || metric == "echo_epoch" || metric == "echo_sequence")
        return "virtseer_" + metric;
      return "virtseer_guest_" + metric;
    case Source::libvirt:
      if (metric.starts_with("libvirt_domain_")) return metric;
      if (metric.starts_with("libvirt_")) return "virtseer_" + metric;
      return "virtseer_libvirt_" + metric;
    case Source::host:
      break;
  }
  return metric.starts_with("host_") ? "virtseer_" + metric : "virtseer_host_" + metric;
}

void appendValue(std::string& out, double value) {
  if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

}  // namespace

std::string escapeLabel(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : isUtf8(text) ? std::string(text) : toUtf8(text)) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

void appendLabel(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty()) out += ',';
  out += name;
  out += "=\"";
  out += escapeLabel(value);
  out += '"';
}

MetricsText::MetricsText(MetricsInput input) : input_(std::move(input)) {
  const auto by_stream = [](const LatestView& a, const LatestView& b) {
    return a.stream < b.stream;
  };
  if (!std::is_sorted(input_.values.begin(), input_.values.end(), by_stream))
    std::sort(input_.values.begin(), input_.values.end(), by_stream);
  addOwn();
  addEnvironments();
  addVms();
  addDecisions();
}

bool MetricsText::step(std::size_t values) {
  if (input_.decisions && next_forecast_ < input_.decisions->forecasts.size()) {
    const auto& forecasts = input_.decisions->forecasts;
    const auto end = std::min(next_forecast_ + values / kSamplesOfForecasts + 1, forecasts.size());
    while (next_forecast_ < end) addForecasts(forecasts[next_forecast_++]);
    return true;
  }
  if (!collected_) {
    const auto end = std::min(next_ + values, input_.values.size());
    while (next_ < end) addValue(input_.values[next_++]);
    if (next_ < input_.values.size()) return true;
    own("virtseer_exposition_skipped_series", Kind::gauge,
        "Series left out here, since their names or labels do not fit the format or are too many",
        "", static_cast<double>(skipped_));
    collected_ = true;
    writing_ = families_.cbegin();
    return true;
  }
  // A sample's line is about a hundred bytes.
  const std::size_t enough = out_.size() + values * 100;
  for (; writing_ != families_.cend() && out_.size() < enough; ++writing_)
    write(writing_->first, writing_->second);
  return writing_ != families_.cend();
}

void MetricsText::own(const std::string& name, Kind kind, std::string_view help,
                      std::string_view labels, double value) {
  if (!std::isfinite(value)) return;
  Family& family = families_[name];
  family.own = true;
  family.kind = kind;
  family.help = help;
  family.samples += name;
  if (!labels.empty()) family.samples += fmt::format("{{{}}}", labels);
  family.samples += ' ';
  appendValue(family.samples, value);
  family.samples += '\n';
}

void MetricsText::addOwn() {
  const Health& health = input_.health;
  const auto gauge = [&](const char* name, const char* help, auto value) {
    own(name, Kind::gauge, help, "", static_cast<double>(value));
  };
  const auto counter = [&](const char* name, const char* help, auto value) {
    own(name, Kind::counter, help, "", static_cast<double>(value));
  };
  std::string version;
  appendLabel(version, "version", health.version);
  own("virtseer_build_info", Kind::gauge, "Version of the daemon; always 1", version, 1);
  gauge("virtseer_problems", "Problems that /healthz tells of", health.problems.size());
  gauge("virtseer_start_time_seconds", "When the daemon started, since the Unix epoch",
        std::chrono::duration<double>(health.started.time_since_epoch()).count());
  gauge("virtseer_loop_lag_seconds",
        "Longest wait of a ready task of the daemon in the last minute",
        health.loop_lag_seconds_max);
  counter("virtseer_process_cpu_seconds_total", "CPU time of the daemon", health.cpu_seconds);
  gauge("virtseer_process_resident_memory_bytes", "Memory of the daemon", health.rss_bytes);
  gauge("virtseer_agents_connected", "Agents with a link", health.agents_connected);
  counter("virtseer_echo_faults_total",
          "Frames of agents that were malformed, too large or too many", health.echo_faults);
  counter("virtseer_echo_duplicates_total", "Echoes dropped, since already stored",
          health.echo_duplicates);
  counter("virtseer_echo_lost_total", "Echoes lost by the ring of an agent or its link",
          health.echo_lost);
  counter("virtseer_echo_happenings_total", "Happenings that guests told, kept as events",
          health.happenings);
  counter("virtseer_echo_happenings_dropped_total",
          "Happenings counted and not kept, since a guest told too many",
          health.happenings_dropped);
  counter("virtseer_echo_tables_dropped_total",
          "Tables of guests that were not kept, since they could not be written for too long",
          health.tables_dropped);
  gauge("virtseer_agent_callers", "Connections that agents made, before and after their login",
        health.callers);
  counter("virtseer_agent_calls_accepted_total", "Calls of agents with the right token",
          health.calls_accepted);
  counter("virtseer_agent_calls_denied_total", "Calls of agents with a wrong token",
          health.calls_denied);
  counter("virtseer_agent_calls_turned_away_total",
          "Calls of agents refused by a bound, or since their address gave wrong tokens",
          health.calls_turned_away);
  counter("virtseer_agent_calls_failed_total",
          "Calls of agents without TLS or login in time, or for VMs that are not served here",
          health.calls_failed);
  gauge("virtseer_store_open", "1 if the store is open", health.store_open ? 1 : 0);
  counter("virtseer_store_rows_total", "Rows taken into the store", health.rows);
  counter("virtseer_store_samples_total", "Values taken into the store", health.samples);
  counter("virtseer_store_late_rows_total", "Rows dropped, since not after the last one",
          health.late);
  counter("virtseer_store_overflow_rows_total", "Rows dropped, since writing failed for too long",
          health.overflow);
  counter("virtseer_store_damaged_total", "Chunks and journal records found corrupt",
          health.damaged);
  gauge("virtseer_store_streams", "Streams in the store", health.streams);
  gauge("virtseer_store_series", "Series in the store", health.series);
  gauge("virtseer_store_journal_bytes", "Size of the journal", health.journal_bytes);
  gauge("virtseer_store_disk_bytes", "Size of the store without its journal", health.disk_bytes);
  counter("virtseer_collect_missed_beats_total", "Rounds of statistics that did not come in time",
          health.missed_beats);
  counter("virtseer_collect_refused_values_total",
          "Values left out, since their stream has too many series", health.refused_values);
  counter("virtseer_collect_link_failures_total",
          "Agent links begun again after a fault of the daemon itself", health.link_failures);
  counter("virtseer_events_dropped_total", "Events that could not be kept", health.events_dropped);
  counter("virtseer_requests_refused_total",
          "Requests and connections refused by a bound or for lack of a right",
          health.requests_refused);
}

void MetricsText::addEnvironments() {
  for (const auto& each : input_.health.environments) {
    std::string uri;
    appendLabel(uri, "uri", each.uri);
    own("virtseer_environment_connected", Kind::gauge,
        "1 if the virtualization environment answers", uri, each.connected ? 1 : 0);
    own("virtseer_environment_reconnects_total", Kind::counter, "Connections made again", uri,
        static_cast<double>(each.reconnects));
    own("virtseer_environment_calls_timed_out_total", Kind::counter,
        "Calls without an answer in time", uri, static_cast<double>(each.calls_timed_out));
    own("virtseer_environment_calls_stuck", Kind::gauge,
        "Calls past their deadline that still hang", uri, static_cast<double>(each.calls_stuck));
  }
}

void MetricsText::addVms() {
  for (const auto& view : input_.vms) {
    std::string labels;
    appendLabel(labels, "domain", view.vm.name);
    appendLabel(labels, "uuid", view.vm.uuid.text());
    own("virtseer_vm_timed_out", Kind::gauge,
        "1 if the figures of the hypervisor for the VM are the last known ones", labels,
        view.timed_out ? 1 : 0);
    own("virtseer_agent_connected", Kind::gauge, "1 if the agent inside the VM has a link", labels,
        view.agent.state == AgentLink::State::connected ? 1 : 0);
  }
}

const std::string& MetricsText::entityLabels(StreamId stream) {
  if (stream == stream_ && !entity_labels_.empty()) return entity_labels_;
  stream_ = stream;
  seen_.clear();
  entity_labels_.clear();
  appendLabel(entity_labels_, stream.source == Source::host ? "host" : "domain",
              input_.entity_name ? input_.entity_name(stream.entity) : std::string());
  appendLabel(entity_labels_, "uuid", stream.entity.text());
  return entity_labels_;
}

MetricsText::Family* MetricsText::family(const LatestView& value, std::string& name) {
  auto& known = names_[static_cast<std::size_t>(value.stream.source) & 3];
  auto [shown, first] = known.try_emplace(value.name.metric);
  if (first && isName(value.name.metric))
    shown->second = shownName(value.stream.source, value.name.metric);
  name = shown->second;
  if (name.empty()) return nullptr;
  auto found = families_.find(name);
  if (found != families_.end()) {
    if (found->second.own) return nullptr;
    if (found->second.kind != value.name.kind) found->second.untyped = true;
    return &found->second;
  }
  if (++foreign_ > kMaxFamilies) return nullptr;
  const MetricInfo* info = findMetric(value.name.metric);
  Family& family = families_[name];
  family.kind = value.name.kind;
  // A counter is known by its suffix, and nothing else may have it.
  family.untyped = (family.kind == Kind::counter) != name.ends_with("_total");
  family.help = info ? std::string(info->help)
                     : fmt::format("Not described; measured by source {}",
                                   virtseer::name(value.stream.source));
  return &family;
}

void MetricsText::addValue(const LatestView& value) {
  const std::string& entity = entityLabels(value.stream);
  if (std::isnan(value.value) || input_.now - value.time > input_.stale_after) return;
  std::string name;
  Family* const family = this->family(value, name);
  std::string sample = name + "{" + entity;
  const auto& labels = value.name.labels;
  const bool named = std::ranges::all_of(labels, [&](const auto& label) {
    return isLabelName(label.first) && !isTaken(label.first, labels);
  });
  for (const auto& [label, text] : labels) appendLabel(sample, shownLabel(label), text);
  sample += "} ";
  if (!family || !named || !seen_.insert(sample).second) {
    ++skipped_;
    return;
  }
  family->samples += sample;
  appendValue(family->samples, value.value);
  family->samples += '\n';
}

void MetricsText::write(const std::string& name, const Family& family) {
  if (family.samples.empty()) return;
  const std::string_view type = family.untyped                 ? "untyped"
                                : family.kind == Kind::counter ? "counter"
                                                               : "gauge";
  out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, family.help, name, type);
  out_ += family.samples;
}

std::string metricsText(MetricsInput input) {
  MetricsText text(std::move(input));
  while (text.step(SIZE_MAX / 200)) continue;
  return text.take();
}

}  // namespace virtseer::api

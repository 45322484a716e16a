#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "api/backend.h"
#include "api/decisions.h"

namespace virtseer::api {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

/// Families of metrics that are not the daemon's own; series of further ones are left out and
/// counted.
inline constexpr std::size_t kMaxFamilies = 2000;

/// What is foreseen, decided and done; absent where it is not known.
struct DecisionsInput {
  Decisions::Counts counts;
  bool automation = true;
  bool maintenance = false;
  std::optional<Plan> plan;
  std::vector<ForecastAnswer> forecasts;
};

struct MetricsInput {
  std::vector<LatestView> values;
  std::vector<VmView> vms;
  Health health;
  Timestamp now;
  Millis stale_after{300'000};  ///< values older than this are left out
  std::function<std::string(Uuid)> entity_name;
  std::optional<DecisionsInput> decisions;
};

/// Writes the Prometheus text format 0.0.4: HELP and TYPE once per family, all its samples after
/// them.
///
/// Names: guest_*, host_* and the two echo_* get the prefix virtseer_, what libvirt says keeps its
/// libvirt_domain_ names, anything else is put below its source (virtseer_guest_x), so that no
/// guest can speak for another source or for the daemon. Series with names or labels that the
/// format does not allow are left out and counted in virtseer_exposition_skipped_series. Pure,
/// apart from calls of `entity_name`.
class MetricsText {
 public:
  explicit MetricsText(MetricsInput input);

  /// Goes on with up to `values` values or a few VMs' forecasts; false when all is written.
  bool step(std::size_t values);

  /// The text; call it once, when step() has returned false.
  std::string take() { return std::move(out_); }

 private:
  struct Family {
    Kind kind = Kind::gauge;
    bool untyped = false;  ///< its name or its series do not fit one type
    bool own = false;      ///< the daemon speaks about itself
    std::string help;
    std::string samples;
  };

  void addOwn();
  void addEnvironments();
  void addVms();
  void addDecisions();
  void addPlan(const Plan& plan);
  void addForecasts(const ForecastAnswer& answer);
  void addForecast(const std::string& vm, const Forecast& forecast);
  void own(const std::string& name, Kind kind, std::string_view help, std::string_view labels,
           double value);
  void addValue(const LatestView& value);
  Family* family(const LatestView& value, std::string& name);
  const std::string& entityLabels(StreamId stream);
  void write(const std::string& name, const Family& family);

  MetricsInput input_;
  std::map<std::string, Family> families_;
  std::size_t foreign_ = 0;
  std::unordered_map<std::string, std::string>
      names_[4];     ///< by source: name in the store -> shown
  StreamId stream_;  ///< of `entity_labels_` and `seen_`
  std::string entity_labels_;
  std::unordered_set<std::string> seen_;  ///< samples of the stream, to leave out doubles
  std::size_t next_forecast_ = 0;
  std::size_t next_ = 0;
  std::uint64_t skipped_ = 0;
  std::map<std::string, Family>::const_iterator writing_;
  bool collected_ = false;
  std::string out_;
};

/// The whole text at once.
std::string metricsText(MetricsInput input);

/// Appends name="value", after a comma where `out` has labels already.
void appendLabel(std::string& out, std::string_view name, std::string_view value);

/// A label's value or a help text with what the format reserves escaped, in UTF-8.
std::string escapeLabel(std::string_view text);

}  // namespace virtseer::api

#include "daemon/plan_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace virtseer::daemon {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostRejected = 64;

// What each struct consists of, said once for both ways; V is Writer or Reader.

template <class V, class T>
  requires std::same_as<T, Contention>
void members(V& v, T& out) {
  v("probability", out.probability);
  v("until", out.until);
  v("probability_then", out.probability_then);
  v("already", out.already);
  v("shortage_cpus", out.shortage_cpus);
  v("mean_cpus", out.mean_cpus);
}

template <class V, class T>
  requires std::same_as<T, VmShare>
void members(V& v, T& out) {
  v("vm", out.vm);
  v("vm_name", out.vm_name);
  v("share", out.share);
  v("mean_cpus", out.mean_cpus);
}

template <class V, class T>
  requires std::same_as<T, HostOutlook>
void members(V& v, T& out) {
  v("host", out.host);
  v("name", out.name);
  v("capacity_cpus", out.capacity_cpus);
  v("contention", out.contention);
  v("shares", out.shares);
  v("held_rounds", out.held_rounds);
  v("vms_running", out.vms_running);
  v("vms_unforeseen", out.vms_unforeseen);
  v("maintenance", out.maintenance);
  v("unusable", out.unusable);
}

template <class V, class T>
  requires std::same_as<T, ScorePart>
void members(V& v, T& out) {
  v("name", out.name);
  v("weight", out.weight);
  v("value", out.value);
  v("words", out.words);
}

template <class V, class T>
  requires std::same_as<T, MoveCost>
void members(V& v, T& out) {
  v("memory_bytes", out.memory_bytes);
  v("disk_bytes", out.disk_bytes);
  v("duration", out.duration);
  v("downtime", out.downtime);
  v("converges", out.converges);
  v("dirty_rate_known", out.dirty_rate_known);
}

template <class V, class T>
  requires std::same_as<T, Rejection>
void members(V& v, T& out) {
  v("vm", out.vm);
  v("vm_name", out.vm_name);
  v("host", out.host);
  v("host_name", out.host_name);
  v("why", out.why);
  v("words", out.words);
  v("would", out.would);
}

template <class V, class T>
  requires std::same_as<T, PlanStep>
void members(V& v, T& out) {
  v("id", out.id);
  v("state", out.state);
  v("cause", out.cause);
  v("vm", out.vm);
  v("vm_name", out.vm_name);
  v("from", out.from);
  v("from_name", out.from_name);
  v("to", out.to);
  v("to_name", out.to_name);
  v("from_before", out.from_before);
  v("from_after", out.from_after);
  v("to_before", out.to_before);
  v("to_after", out.to_after);
  v("relief", out.relief);
  v("cost", out.cost);
  v("score", out.score);
  v("parts", out.parts);
  v("cpus", out.cpus);
  v("memory_bytes", out.memory_bytes);
  v("mode", out.mode);
  v("executable", out.executable);
  v("held_back", out.held_back);
  v("reasons", out.reasons);
  v("counterfactuals", out.counterfactuals);
}

template <class V, class T>
  requires std::same_as<T, Plan>
void members(V& v, T& out) {
  v("id", out.id);
  v("made", out.made);
  v("round", out.round);
  v("stopped", out.stopped);
  v("verdict", out.verdict);
  v("steps", out.steps);
  v("hosts", out.hosts);
  v("rejected", out.rejected);
  v("rejected_more", out.rejected_more);
  v("reasons", out.reasons);
  v("counterfactuals", out.counterfactuals);
}

class Writer {
 public:
  template <class T>
  void operator()(const char* name, T& value) {
    out_[name] = json(value);
  }
  Json take() { return std::move(out_); }

  template <class T>
  static Json json(T& value) {
    Writer one;
    members(one, value);
    return one.take();
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  static Json json(T& value) {
    return value;
  }
  template <class T>
    requires std::is_enum_v<T>
  static Json json(T& value) {
    return std::string(name(value));
  }
  static Json json(std::string& value) { return value; }
  static Json json(Millis& value) { return value.count(); }
  static Json json(Timestamp& value) { return value.time_since_epoch().count(); }
  static Json json(Uuid& value) { return value.text(); }
  template <class T>
  static Json json(std::optional<T>& value) {
    return value ? json(*value) : Json();
  }
  template <class T>
  static Json json(std::vector<T>& values) {
    Json out = Json::array();
    for (auto& value : values) out.push_back(json(value));
    return out;
  }

 private:
  Json out_ = Json::object();
};

/// What does not fit throws a Json::exception, or Wrong.
class Reader {
 public:
  struct Wrong : std::runtime_error {
    using std::runtime_error::runtime_error;
  };

  explicit Reader(const Json& from) : from_(from) {}

  template <class T>
  void operator()(const char* name, T& value) {
    const auto found = from_.find(name);
    if (found != from_.end() && !found->is_null()) read(*found, value);
  }

  template <class T>
  static void read(const Json& from, T& value) {
    if (!from.is_object()) throw Wrong("not an object");
    Reader one(from);
    members(one, value);
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  static void read(const Json& from, T& value) {
    value = from.get<T>();
  }
  template <class T>
    requires std::is_enum_v<T>
  static void read(const Json& from, T& value) {
    const auto& text = from.get_ref<const std::string&>();
    for (int i = 0; i <= last(value); ++i)
      if (name(static_cast<T>(i)) == text) {
        value = static_cast<T>(i);
        return;
      }
    throw Wrong("unknown word " + text);
  }
  static void read(const Json& from, std::string& value) { value = from.get<std::string>(); }
  static void read(const Json& from, Millis& value) { value = Millis(from.get<std::int64_t>()); }
  static void read(const Json& from, Timestamp& value) {
    value = Timestamp(Millis(from.get<std::int64_t>()));
  }
  static void read(const Json& from, Uuid& value) {
    const auto uuid = Uuid::parse(from.get_ref<const std::string&>());
    if (!uuid) throw Wrong("not a UUID");
    value = *uuid;
  }
  template <class T>
  static void read(const Json& from, std::optional<T>& value) {
    read(from, value.emplace());
  }
  template <class T>
  static void read(const Json& from, std::vector<T>& values) {
    if (!from.is_array()) throw Wrong("not a list");
    for (const auto& item : from) read(item, values.emplace_back());
  }

 private:
  static int last(Refusal) { return static_cast<int>(Refusal::lower_score); }
  static int last(StepCause) { return static_cast<int>(StepCause::maintenance); }
  static int last(StepState) { return static_cast<int>(StepState::waiting); }
  static int last(Mode) { return static_cast<int>(Mode::automatic); }

  const Json& from_;
};

}  // namespace

std::string planText(const Plan& plan) {
  Plan kept = plan;
  if (kept.rejected.size() > kMostRejected) {
    kept.rejected_more += kept.rejected.size() - kMostRejected;
    kept.rejected.resize(kMostRejected);
  }
  return Writer::json(kept).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Plan> planFromText(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(Code::corrupt, "a kept plan is not JSON");
  try {
    Plan out;
    Reader::read(json, out);
    return out;
  } catch (const std::exception& error) {
    return fail(Code::corrupt, std::string("a kept plan: ") + error.what());
  }
}

}  // namespace virtseer::daemon

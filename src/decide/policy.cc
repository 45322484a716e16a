#include "decide/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/text.h"
#include "decide/words.h"

namespace virtseer::decide {
namespace {

std::string word(Mode mode) {
  return std::string(name(mode));
}
std::string word(bool value) {
  return value ? "true" : "false";
}
std::string word(int value) {
  return std::to_string(value);
}

/// Takes one source after the other and writes down what became of each word, if asked to.
class Resolver {
 public:
  explicit Resolver(std::vector<PolicyLine>* lines) : lines_(lines) {}

  /// `lower_only`: only what allows less than before is taken.
  void take(const std::string& source, const PolicyOverrides& from, bool lower_only) {
    source_ = source;
    lower_only_ = lower_only;
    set("mode", from.mode, policy_.mode, [](Mode now, Mode then) { return now < then; });
    set("excluded", from.excluded, policy_.excluded, [](bool now, bool) { return now; });
    auto priority = from.priority;
    if (priority) priority = std::clamp(*priority, 0, 100);
    set("priority", priority, policy_.priority, [](int now, int then) { return now > then; });
    const auto lower = [](bool now, bool) { return !now; };
    set("migrate", from.migrate, policy_.migrate, lower);
    set("copy_storage", from.copy_storage, policy_.copy_storage, lower);
    set("return_trip", from.return_trip, policy_.return_trip, lower);
    set("unlocked_disks", from.unlocked_disks, policy_.unlocked_disks, lower);
  }

  void note(std::string source, std::string key, std::string value, std::string text) {
    if (lines_)
      lines_->push_back({std::move(source), std::move(key), std::move(value), true, text});
  }

  const Policy& policy() const { return policy_; }

 private:
  template <class T, class Lowers>
  void set(std::string_view key, const std::optional<T>& value, T& into, Lowers lowers) {
    if (!value) return;
    const bool same = *value == into;
    const bool taken = same || !lower_only_ || lowers(*value, into);
    if (lines_)
      lines_->push_back(
          {source_, std::string(key), word(*value), taken,
           !taken ? fmt::format("stays {}: metadata may only lower what the configuration grants",
                                word(into))
           : same ? "as before"
                  : fmt::format("was {}", word(into))});
    if (taken) into = *value;
  }

  Policy policy_;
  std::vector<PolicyLine>* lines_;
  std::string source_;
  bool lower_only_ = false;
};

void builtIn(std::vector<PolicyLine>* lines) {
  if (!lines) return;
  const Policy policy;
  for (auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"mode", word(policy.mode)},
           {"excluded", word(policy.excluded)},
           {"priority", word(policy.priority)},
           {"migrate", word(policy.migrate)},
           {"copy_storage", word(policy.copy_storage)},
           {"return_trip", word(policy.return_trip)},
           {"unlocked_disks", word(policy.unlocked_disks)}})
    lines->push_back({"built-in", key, value, true, ""});
}

bool applies(const PolicyRule& rule, const Uuid& vm, std::string_view vm_name) {
  return rule.vm ? *rule.vm == vm : matches(rule.name_pattern, vm_name);
}

Policy fold(const PolicyConfiguration& configuration, const Uuid& vm, std::string_view vm_name,
            const std::optional<PolicyMetadata>& metadata, std::vector<PolicyLine>* lines) {
  builtIn(lines);
  Resolver resolver(lines);
  resolver.take("configuration", configuration.defaults, false);
  for (std::size_t i = 0; i < configuration.rules.size(); ++i) {
    const auto& rule = configuration.rules[i];
    if (!applies(rule, vm, vm_name)) continue;
    resolver.take(lines ? fmt::format("rule {} ({})", i + 1,
                                      rule.vm ? rule.vm->text() : label(rule.name_pattern))
                        : std::string(),
                  rule.set, false);
  }
  if (metadata && !metadata->fault.empty()) {
    PolicyOverrides observed;
    observed.mode = Mode::observe;
    observed.migrate = false;  // it may have been what is written there
    resolver.take("domain metadata", observed, true);
    resolver.note("domain metadata", "fault", printable(metadata->fault),
                  "could not be read in full, so the VM is only observed and not moved");
  }
  if (metadata) resolver.take("domain metadata", metadata->set, true);
  if (metadata && metadata->enroll)
    resolver.note("domain metadata", "enroll", word(*metadata->enroll),
                  *metadata->enroll ? "it may be enrolled" : "nobody enrolls it by virtseer");
  if (configuration.stop)
    resolver.note("stop", "stop", "true", "nothing is carried out until it is lifted");
  return resolver.policy();
}

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p, ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

ResolvedPolicy resolve(const PolicyConfiguration& configuration, const Uuid& vm,
                       std::string_view vm_name, const std::optional<PolicyMetadata>& metadata) {
  ResolvedPolicy out;
  out.stop = configuration.stop;
  out.policy = fold(configuration, vm, vm_name, metadata, &out.lines);
  return out;
}

Policy resolvedPolicy(const PolicyConfiguration& configuration, const PlacedVm& vm) {
  return fold(configuration, vm.uuid, vm.name, vm.metadata, nullptr);
}

}  // namespace virtseer::decide

#include "collect/catalogue_rules.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "virtseer/echo/text.h"

namespace virtseer::collect {

const SeriesName kEpochColumn{"echo_epoch", {}, Kind::gauge};
const SeriesName kSequenceColumn{"echo_sequence", {}, Kind::gauge};

std::optional<std::string> refusal(const SeriesName& name) {
  if (!echo::isName(name.metric)) return "a metric's name is not one";
  if (!echo::isAgentMetric(name.metric))
    return "metric " + name.metric + ": an agent's metrics begin with guest_, echo_ or app_";
  for (const auto& [label, value] : name.labels) {
    if (!echo::isName(label)) return "metric " + name.metric + ": a label's name is not one";
    if (!echo::isAgentLabel(label))
      return "metric " + name.metric + ": label " + label + " is not an agent's to give";
    if (!echo::isText(value))
      return "metric " + name.metric + ": the value of label " + label + " is not text";
  }
  return std::nullopt;
}

std::optional<std::string> refusal(std::span<const SeriesName> known, std::size_t first,
                                   std::span<const SeriesName> further) {
  if (first > known.size()) return "a catalogue leaves columns out";
  const auto again = std::min(known.size() - first, further.size());
  for (std::size_t i = 0; i < again; ++i) {
    if (known[first + i].metric != further[i].metric ||
        known[first + i].labels != further[i].labels)
      return "a catalogue renames column " + std::to_string(first + i);
  }
  std::set<std::pair<std::string_view, const Labels*>, decltype([](const auto& a, const auto& b) {
             return a.first != b.first ? a.first < b.first : *a.second < *b.second;
           })>
      names;
  for (const auto& name : known) names.emplace(name.metric, &name.labels);
  for (const auto& name : further.subspan(again)) {
    if (auto why = refusal(name)) return why;
    if (!names.emplace(name.metric, &name.labels).second)
      return "metric " + name.metric + " is named twice";
  }
  return std::nullopt;
}

}  // namespace virtseer::collect

#include "agent/metric_pattern.h"

#include <algorithm>

#include "virtseer/echo/text.h"

namespace virtseer::agent {
namespace {

/// Goes back to the last star only: what an earlier one stood for need never be longer.
bool matchesGlob(std::string_view glob, std::string_view text) {
  std::size_t g = 0, t = 0, star = glob.npos, star_text = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      star_text = t;
    } else if (g < glob.size() && glob[g] == text[t]) {
      ++g, ++t;
    } else if (star != glob.npos) {
      g = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

bool isGlob(std::string_view text) {
  return !text.empty() && text.size() <= echo::kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == ':' || c == '*';
         });
}

}  // namespace

bool MetricPattern::matches(const MetricSample& sample) const {
  if (sample.bucket && !name.ends_with("_bucket")) return false;
  return matchesGlob(name, sample.name);
}

bool MetricPattern::keeps(std::string_view label) const {
  return !kept || std::find(kept->begin(), kept->end(), label) != kept->end();
}

std::optional<MetricPattern> parsePattern(std::string_view text) {
  const auto brace = text.find('{');
  MetricPattern pattern{.name = std::string(text.substr(0, brace))};
  if (!isGlob(pattern.name)) return std::nullopt;
  if (brace == text.npos) return pattern;
  if (!text.ends_with('}')) return std::nullopt;
  std::string_view labels = text.substr(brace + 1, text.size() - brace - 2);
  pattern.kept.emplace();
  while (!labels.empty()) {
    const auto comma = labels.find(',');
    const std::string_view label = labels.substr(0, comma);
    // One label is that of the endpoint.
    if (!echo::isName(label) || pattern.kept->size() + 1 >= echo::kMaxLabels) return std::nullopt;
    pattern.kept->emplace_back(label);
    labels.remove_prefix(std::min(label.size() + 1, labels.size()));
  }
  return pattern;
}

}  // namespace virtseer::agent

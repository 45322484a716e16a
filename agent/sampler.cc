#include "agent/sampler.h"

#include <algorithm>
#include <utility>

namespace virtseer::agent {

std::vector<SourcePointer> systemSources() {
  std::vector<SourcePointer> sources;
  sources.push_back(makeCpuSource());
  sources.push_back(makeMemorySource());
  sources.push_back(makeDiskSource());
  sources.push_back(makeNetworkSource());
  sources.push_back(makePressureSource());
  sources.push_back(makeLoadSource());
  sources.push_back(makeAgentSource());
  return sources;
}

Sampler::Sampler(const std::string& root, std::vector<SourcePointer> sources) {
  for (SourcePointer& source : sources) {
    const auto opened = source->open(root);
    entries_.push_back({std::move(source), opened ? std::string() : opened.error()});
  }
}

void Sampler::select(const std::optional<std::vector<std::string>>& names) {
  for (Entry& entry : entries_)
    entry.selected =
        !names || std::find(names->begin(), names->end(), entry.source->name()) != names->end();
}

std::span<double> Sampler::read(Columns& columns) {
  row_.clear();
  Round round{columns, row_, scratch_};
  for (Entry& entry : entries_)
    if (entry.selected && entry.reason.empty()) entry.source->read(round);
  return row_.values(columns.size());
}

std::map<std::string, std::string> Sampler::states() const {
  std::map<std::string, std::string> states;
  for (const Entry& entry : entries_) {
    const std::string state = !entry.reason.empty() ? entry.reason.substr(0, echo::kMaxTextBytes)
                              : entry.selected      ? "on"
                                                    : "not asked for";
    states.emplace(entry.source->name(), state);
  }
  return states;
}

}  // namespace virtseer::agent

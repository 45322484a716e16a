#include "agent/sampler.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "virtseer/echo/text.h"

namespace virtseer::agent {

std::vector<SourcePointer> systemSources(const Config& config) {
  std::vector<SourcePointer> sources;
  sources.push_back(makeCpuSource());
  sources.push_back(makeMemorySource());
  sources.push_back(makeDiskSource());
  sources.push_back(makeFilesystemSource());
  sources.push_back(makeNetworkSource());
  sources.push_back(makeTcpSource());
  sources.push_back(makeSocketSource());
  sources.push_back(makePressureSource());
  sources.push_back(makeLoadSource());
  sources.push_back(makeProcessesSource());
  sources.push_back(makeEbpfSource(config));
  sources.push_back(makeAgentSource());
  if (config.logs) sources.push_back(makeLogSource());
  if (!config.scrape.empty()) sources.push_back(makeScrapeSource(config));
  if (!config.statsd.empty() || config.statsd_udp != 0) sources.push_back(makeStatsdSource(config));
  for (const SourcePointer& source : sources) source->setTop(config.top_processes);
  return sources;
}

Sampler::Sampler(const std::string& root, std::vector<SourcePointer> sources)
    : events_(::epoll_create1(EPOLL_CLOEXEC)) {
  for (SourcePointer& source : sources) {
    const auto opened = source->open(root);
    entries_.push_back({std::move(source), opened ? std::string() : opened.error()});
    watch(entries_.size() - 1);
  }
}

void Sampler::watch(std::size_t entry) {
  const int fd = entries_[entry].source->eventFd();
  if (!entries_[entry].reason.empty() || fd < 0) return;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = entry}};
  ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, fd, &event);
}

void Sampler::attend() {
  epoll_event ready[8];
  const int count = ::epoll_wait(events_.get(), ready, 8, 0);
  for (int i = 0; i < count; ++i) entries_[ready[i].data.u64].source->attend();
}

void Sampler::select(const std::optional<std::vector<std::string>>& names) {
  const auto named = [&](std::string_view name) {
    return std::find(names->begin(), names->end(), name) != names->end();
  };
  for (Entry& entry : entries_) {
    const bool wanted = !names || named(echo::kAllCollectors) || named(entry.source->name());
    if (wanted != entry.selected && entry.reason.empty()) entry.source->select(wanted);
    entry.selected = wanted;
  }
}

void Sampler::setTop(std::size_t top) {
  for (Entry& entry : entries_) entry.source->setTop(top);
}

std::span<double> Sampler::read(Columns& columns, std::int64_t now_ms, std::size_t echoes_kept) {
  row_.clear();
  report_.clear();
  Round round{columns, row_, scratch_, report_, now_ms, echoes_kept};
  for (Entry& entry : entries_) {
    if (!entry.selected || !entry.reason.empty()) continue;
    const double before = clock_ == nullptr ? 0 : clock_();
    entry.source->read(round);
    if (clock_ != nullptr) entry.cost_us += clock_() - before;
  }
  report_.finish();
  return row_.values(columns.size());
}

std::map<std::string, double> Sampler::costs() const {
  std::map<std::string, double> costs;
  for (const Entry& entry : entries_)
    if (entry.selected && entry.reason.empty()) costs.emplace(entry.source->name(), entry.cost_us);
  return costs;
}

std::map<std::string, std::string> Sampler::states() const {
  std::map<std::string, std::string> states;
  for (const Entry& entry : entries_) {
    std::string state = "on";
    if (!entry.reason.empty())
      state = entry.reason;
    else if (!entry.selected)
      state = "not asked for";
    else if (const std::string trouble = entry.source->trouble(); !trouble.empty())
      state = "in part: " + trouble;
    states.emplace(entry.source->name(), echo::cleanText(state));
  }
  return states;
}

}  // namespace virtseer::agent

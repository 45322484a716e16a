#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "agent/scrape_endpoint.h"
#include "agent/source.h"

namespace virtseer::agent {
namespace {

/// Pages are not asked for more often than this, however often echoes are made.
constexpr std::int64_t kLeastIntervalMs = 5000;
/// A round that comes a little early is not put off to the next one.
constexpr std::int64_t kEarlyMs = 250;

class ScrapeSource : public Source {
 public:
  explicit ScrapeSource(const Config& config)
      : interval_ms_(std::max<std::int64_t>(config.scrape_interval_ms, kLeastIntervalMs)) {
    for (const Config::Endpoint& endpoint : config.scrape)
      endpoints_.push_back(std::make_unique<ScrapeEndpoint>(endpoint.name, endpoint.url,
                                                            endpoint.patterns, series_));
  }

  std::string_view name() const override { return "scrape"; }

  std::expected<void, std::string> open(const std::string&) override {
    epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) return std::unexpected("epoll: " + errorText(errno));
    return {};
  }

  int eventFd() const override { return epoll_.get(); }

  void attend() override {
    std::array<epoll_event, Config::kMaxEndpoints> ready;
    const int count = ::epoll_wait(epoll_.get(), ready.data(), ready.size(), 0);
    std::array<char, ScrapeEndpoint::kReadBytes> buffer;
    for (int i = 0; i < count; ++i)
      endpoints_[ready[static_cast<std::size_t>(i)].data.u64]->attend(buffer);
  }

  /// Tells what came of the last question and asks the next one, whose answer comes between rounds.
  void read(Round& round) override {
    for (const auto& endpoint : endpoints_) endpoint->expire(round.now_ms);
    series_.tell(round);
    for (const auto& endpoint : endpoints_) endpoint->tell(round);
    if (left_out_ == kNoColumn)
      left_out_ = round.columns.add("guest_scrape_samples_left_out_total");
    round.row.set(left_out_, static_cast<double>(series_.leftOut()));
    if (asked_ && round.now_ms - *asked_ < interval_ms_ - kEarlyMs) return;
    asked_ = round.now_ms;
    for (std::size_t i = 0; i < endpoints_.size(); ++i)
      endpoints_[i]->begin(epoll_.get(), i, round.now_ms);
  }

  void select(bool on) override {
    asked_.reset();
    if (on) return;
    for (const auto& endpoint : endpoints_) endpoint->stop();
  }

  std::string trouble() const override {
    std::string trouble;
    for (const auto& endpoint : endpoints_)
      if (!endpoint->fault().empty())
        trouble += (trouble.empty() ? "" : "; ") + endpoint->name() + ": " + endpoint->fault();
    return trouble;
  }

 private:
  const std::int64_t interval_ms_;
  ScrapeSeries series_;
  std::vector<std::unique_ptr<ScrapeEndpoint>> endpoints_;
  Descriptor epoll_;
  std::optional<std::int64_t> asked_;
  Column left_out_ = kNoColumn;
};

}  // namespace

SourcePointer makeScrapeSource(const Config& config) {
  return std::make_unique<ScrapeSource>(config);
}

}  // namespace virtseer::agent

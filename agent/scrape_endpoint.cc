#include "agent/scrape_endpoint.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "virtseer/version.h"

namespace virtseer::agent {
namespace {

constexpr std::int64_t kFailureTellMs = 600'000;

}  // namespace

ScrapeEndpoint::ScrapeEndpoint(std::string name, std::string_view url,
                               std::vector<MetricPattern> patterns, ScrapeSeries& series)
    : name_(std::move(name)), patterns_(std::move(patterns)), series_(series) {
  role_columns_.fill(kNoColumn);
  if (auto target = parseTarget(url))
    target_ = std::move(*target);
  else
    url_fault_ = "its URL " + target.error();
  // To a request of HTTP/1.0 the answer comes as it is, and ends with the connection.
  request_ = "GET " + target_.path + " HTTP/1.0\r\nHost: " + target_.host +
             "\r\nAccept: text/plain; version=0.0.4\r\nUser-Agent: virtseer-agent/" +
             std::string(kVersion) + "\r\n\r\n";
}

void ScrapeEndpoint::begin(int epoll, std::uint64_t tag, std::int64_t now_ms) {
  if (fd_) return;
  if (!url_fault_.empty()) return fail(url_fault_);
  auto connecting = connectTo(target_);
  if (!connecting) return fail(connecting.error());
  fd_ = std::move(*connecting);
  epoll_ = epoll;
  tag_ = tag;
  begun_ms_ = now_ms;
  sent_ = 0;
  pieces_ = 0;
  answer_ = {};
  text_ = {};
  next_roles_ = {};
  epoll_event event{.events = EPOLLOUT, .data = {.u64 = tag}};
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd_.get(), &event) < 0) fail(errorText(errno));
}

void ScrapeEndpoint::attend(std::span<char> buffer) {
  if (!fd_) return;
  if (sent_ < request_.size()) {
    if (!sendRequest()) return;
    epoll_event event{.events = EPOLLIN, .data = {.u64 = tag_}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd_.get(), &event) < 0) return fail(errorText(errno));
  }
  const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (count > 0) return take({buffer.data(), static_cast<std::size_t>(count)});
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) fail(errorText(errno));
    return;
  }
  answer_.finish();
  settle();
}

/// Whether all of it is sent.
bool ScrapeEndpoint::sendRequest() {
  const ssize_t count =
      ::send(fd_.get(), request_.data() + sent_, request_.size() - sent_, MSG_NOSIGNAL);
  if (count >= 0)
    sent_ += static_cast<std::size_t>(count);
  else if (errno != EAGAIN && errno != EINTR)
    fail(errorText(errno));
  return sent_ == request_.size();
}

void ScrapeEndpoint::take(std::string_view bytes) {
  if (++pieces_ > kMaxPieces) return fail("answered in more than 4096 pieces");
  std::string_view body = answer_.take(bytes);
  while (text_.next(body)) takeSample(text_.sample());
  if (answer_.complete() || !answer_.fault().empty() || !text_.fault().empty()) settle();
}

void ScrapeEndpoint::takeSample(const MetricSample& sample) {
  if (const auto role = appRoleOf(sample.name); role && !std::isnan(sample.value)) {
    std::optional<double>& sum = next_roles_[static_cast<std::size_t>(*role)];
    sum = sum.value_or(0) + sample.value;
  }
  const auto pattern =
      std::find_if(patterns_.begin(), patterns_.end(),
                   [&](const MetricPattern& candidate) { return candidate.matches(sample); });
  if (pattern != patterns_.end()) series_.add(name_, sample, *pattern);
}

void ScrapeEndpoint::settle() {
  text_.finish();
  if (!answer_.fault().empty()) return fail(answer_.fault());
  if (!text_.fault().empty()) return fail(text_.fault());
  fd_.reset();
  fault_.clear();
  up_ = true;
  roles_ = next_roles_;
  series_.accept(name_);
}

void ScrapeEndpoint::fail(std::string_view why) {
  stop();
  up_ = false;
  fault_ = why;
}

void ScrapeEndpoint::expire(std::int64_t now_ms) {
  if (fd_ && now_ms - begun_ms_ >= kDeadlineMs) fail("no whole answer within 4 s");
}

void ScrapeEndpoint::stop() {
  fd_.reset();
  fault_.clear();
  up_.reset();
  roles_ = {};
  series_.drop(name_);
}

/// One that goes and comes again and again is told of once in a while.
void ScrapeEndpoint::tellFailure(Round& round) {
  const bool failed = up_ == false;
  const bool began = failed && !failed_;
  failed_ = failed;
  if (!began || (failure_told_ms_ && round.now_ms - *failure_told_ms_ < kFailureTellMs)) return;
  failure_told_ms_ = round.now_ms;
  echo::Happening happening{"guest.scrape_failed", echo::HappeningSeverity::warning, round.now_ms,
                            1, name_ + ": " + fault_};
  happening.fields.emplace("endpoint", name_);
  round.report.happened(std::move(happening));
}

void ScrapeEndpoint::tell(Round& round) {
  tellFailure(round);
  const auto set = [&](Column& column, std::string_view metric, double value) {
    if (column == kNoColumn) column = round.columns.add(metric, {{"endpoint", name_}});
    round.row.set(column, value);
  };
  if (up_) set(up_column_, "guest_scrape_up", *up_ ? 1 : 0);
  for (std::size_t i = 0; i < kAppRoles; ++i)
    if (roles_[i]) set(role_columns_[i], kAppRoleMetrics[i], *roles_[i]);
}

}  // namespace virtseer::agent

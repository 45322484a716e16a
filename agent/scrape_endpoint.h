#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/app_roles.h"
#include "agent/http_answer.h"
#include "agent/metric_pattern.h"
#include "agent/scrape_series.h"
#include "agent/scrape_target.h"

namespace virtseer::agent {

/// One page of metrics, asked for time and again without ever waiting for it: `begin` connects,
/// `attend` goes on wherever the connection is ready, `expire` gives up.
class ScrapeEndpoint {
 public:
  /// What one call of `attend` reads at most.
  static constexpr std::size_t kReadBytes = 16 * 1024;
  /// An answer that comes in more pieces has failed: each of them costs a turn of the agent.
  static constexpr unsigned kMaxPieces = 4096;
  /// An answer that is not whole by the first `expire` after this has failed.
  static constexpr std::int64_t kDeadlineMs = 4000;

  /// `series` outlives this. Patterns and `url` are right (config_apps.h checks them).
  ScrapeEndpoint(std::string name, std::string_view url, std::vector<MetricPattern> patterns,
                 ScrapeSeries& series);

  /// Asks for the page, if it is not being asked for. The connection is watched by `epoll`, with
  /// `tag` for its events.
  void begin(int epoll, std::uint64_t tag, std::int64_t now_ms);
  /// `buffer`: where bytes are read into, kReadBytes.
  void attend(std::span<char> buffer);
  void expire(std::int64_t now_ms);
  /// Closes what is open and forgets what was read.
  void stop();

  void tell(Round& round);
  const std::string& name() const { return name_; }
  /// Why the last answer was none; empty: it was one, or there was none yet.
  const std::string& fault() const { return fault_; }

 private:
  using Roles = std::array<std::optional<double>, kAppRoles>;

  void fail(std::string_view why);
  bool sendRequest();
  void take(std::string_view bytes);
  void takeSample(const MetricSample& sample);
  void settle();
  void tellFailure(Round& round);

  const std::string name_;
  const std::vector<MetricPattern> patterns_;
  ScrapeSeries& series_;
  std::string url_fault_;
  ScrapeTarget target_;
  std::string request_;

  Descriptor fd_;
  int epoll_ = -1;
  std::uint64_t tag_ = 0;
  std::size_t sent_ = 0;  ///< of request_
  unsigned pieces_ = 0;   ///< of the answer
  std::int64_t begun_ms_ = 0;
  HttpAnswer answer_;
  MetricsReader text_;
  Roles next_roles_;  ///< of the page that is being read

  std::string fault_;
  std::optional<bool> up_;
  bool failed_ = false;  ///< when it was last told
  std::optional<std::int64_t> failure_told_ms_;
  Roles roles_;
  Column up_column_ = kNoColumn;
  std::array<Column, kAppRoles> role_columns_;
};

}  // namespace virtseer::agent

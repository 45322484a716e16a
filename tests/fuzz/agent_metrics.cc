#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "agent/http_answer.h"
#include "agent/metric_pattern.h"
#include "agent/scrape_series.h"
#include "agent/scrape_target.h"
#include "agent/statsd_totals.h"
#include "virtseer/echo/codec.h"

namespace {

using namespace virtseer;

void require(bool right) {
  if (!right) std::abort();
}

struct Page {
  std::vector<std::string> samples;
  std::string fault;

  bool operator==(const Page&) const = default;
};

/// The same answer in pieces of any size is the same page.
Page readPage(std::string_view bytes, std::size_t piece, agent::ScrapeSeries& series) {
  const agent::MetricPattern all{"*", {}}, few{"a*_bucket", std::vector<std::string>{"l"}};
  agent::HttpAnswer answer;
  agent::MetricsReader reader;
  Page page;
  while (!bytes.empty()) {
    std::string_view body = answer.take(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    while (reader.next(body)) {
      const agent::MetricSample& sample = reader.sample();
      page.samples.emplace_back(sample.name);
      for (const agent::MetricLabel& label : sample.labels)
        page.samples.back() += std::string(label.name) + agent::unescaped(label.value);
      series.add("e", sample, few.matches(sample) ? few : all);
    }
  }
  answer.finish();
  reader.finish();
  page.fault = answer.fault().empty() ? reader.fault() : answer.fault();
  require(answer.complete() == answer.fault().empty());
  series.accept("e");
  return page;
}

/// What is told is what the daemon takes, and none of it is called as what the agent tells itself.
void requireTold(agent::ScrapeSeries& series, agent::StatsdTotals& totals) {
  agent::Columns columns;
  agent::Row row;
  agent::Scratch scratch;
  agent::ReportBuilder report;
  agent::Round round{columns, row, scratch, report};
  series.tell(round);
  require(columns.size() <= agent::ScrapeSeries::kMaxSeries);
  totals.tell(round);
  const std::string frame = echo::encodeCatalogue(0, columns.names());
  const auto back = echo::decodeCatalogue(std::string_view(frame).substr(echo::kHeaderBytes));
  require(back && back->columns.size() == columns.size());
  for (const auto& name : columns.names())
    require(name.metric.starts_with("app_") || name.metric.starts_with("guest_statsd_"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t piece = data[0] % 64 + std::size_t{1};
  agent::ScrapeSeries series, others;
  require(readPage(bytes, piece, series) == readPage(bytes, bytes.size(), others));
  const std::string page = "HTTP/1.0 200 OK\r\n\r\n" + std::string(bytes);
  require(readPage(page, piece, series) == readPage(page, page.size(), others));
  agent::StatsdTotals totals;
  totals.take(bytes);
  requireTold(series, totals);
  agent::parseTarget(bytes);
  agent::parsePattern(bytes);
  return 0;
}

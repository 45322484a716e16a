#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats), and the
/// `# EOF` of OpenMetrics.
namespace virtseer::agent {

struct MetricLabel {
  std::string_view name;
  std::string_view value;  ///< as it is written, see `unescaped`
};

/// One line that holds a value. Views live until the next one is read.
struct MetricSample {
  std::string_view name;
  std::span<const MetricLabel> labels;  ///< no name occurs twice
  double value = 0;                     ///< NaN where it is no finite number
  bool counter = false;                 ///< by its TYPE, or by a name that ends in _total
  bool bucket = false;                  ///< of a histogram
};

/// A label's value without its escapes.
std::string unescaped(std::string_view value);

/// Reads the text in whatever pieces it comes, and keeps no more than a line of it. One line that
/// is wrong makes all of it wrong.
class MetricsReader {
 public:
  static constexpr std::size_t kMaxLineBytes = 8192;

  /// Goes on in `bytes`, which it takes off what it read. False: all were read, or there is a
  /// fault.
  bool next(std::string_view& bytes);
  const MetricSample& sample() const { return sample_; }
  /// To be called at the text's end.
  void finish();
  /// With its line; empty: none.
  const std::string& fault() const { return fault_; }

 private:
  enum class Type : std::uint8_t { other, counter, histogram, summary };

  void fail(std::string_view what);
  bool takeLine(std::string_view line);
  void takeComment(std::string_view line);
  bool takeSample(std::string_view line);
  bool takeLabels(std::string_view& rest);
  bool takeLabel(std::string_view& rest);
  void classify();

  std::string part_;  ///< the beginning of a line
  std::string line_;  ///< one that came in parts
  std::size_t number_ = 0;
  std::string family_;  ///< that the last TYPE was about
  Type type_ = Type::other;
  bool ended_ = false;
  std::vector<MetricLabel> labels_;
  MetricSample sample_;
  std::string fault_;
};

}  // namespace virtseer::agent

#include "agent/metrics_text.h"

#include <algorithm>
#include <array>

#include "agent/float_text.h"
#include "agent/scan.h"

namespace virtseer::agent {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::size_t kMaxLabels = 64;

void skipBlanks(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
}

bool takeChar(std::string_view& rest, char wanted) {
  if (!rest.starts_with(wanted)) return false;
  rest.remove_prefix(1);
  return true;
}

/// A name off the start of `rest`; empty where there is none. Colons occur in names of metrics.
std::string_view takeName(std::string_view& rest, bool colons) {
  std::size_t size = 0;
  for (; size < rest.size(); ++size) {
    const char c = rest[size];
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && !(digit && size > 0) && !(colons && c == ':')) break;
  }
  const std::string_view name = rest.substr(0, size);
  rest.remove_prefix(size);
  return name;
}

/// Seconds or milliseconds, a sign and a point may be in it.
bool isTimestamp(std::string_view word) {
  return word.find_first_not_of("0123456789+-.eE") == word.npos;
}

}  // namespace

std::string unescaped(std::string_view value) {
  std::string text;
  text.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\\' || i + 1 == value.size()) {
      text.push_back(value[i]);
      continue;
    }
    ++i;
    text.push_back(value[i] == 'n' ? '\n' : value[i]);
  }
  return text;
}

bool MetricsReader::next(std::string_view& bytes) {
  while (fault_.empty() && !bytes.empty()) {
    const auto end = bytes.find('\n');
    std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
    if (part_.size() + line.size() > kMaxLineBytes) {
      ++number_;
      fail("is longer than 8192 bytes");
    } else if (end == bytes.npos) {
      part_ += line;
    } else {
      ++number_;
      if (!part_.empty()) {
        part_ += line;
        line_.swap(part_);
        part_.clear();
        line = line_;
      }
      if (takeLine(line)) return true;
    }
  }
  return false;
}

void MetricsReader::finish() {
  if (!fault_.empty() || part_.empty()) return;
  ++number_;
  fail("has no end: the text is cut");
}

void MetricsReader::fail(std::string_view what) {
  if (fault_.empty()) fault_ = "line " + std::to_string(number_) + " " + std::string(what);
}

/// Whether it held a sample.
bool MetricsReader::takeLine(std::string_view line) {
  skipBlanks(line);
  if (line.empty()) return false;
  if (ended_) return fail("follows # EOF"), false;
  if (!line.starts_with('#')) return takeSample(line);
  takeComment(line.substr(1));
  return false;
}

void MetricsReader::takeComment(std::string_view line) {
  const std::string_view word = takeWord(line);
  if (word == "EOF" && takeWord(line).empty()) ended_ = true;
  if (word != "TYPE") return;
  std::string_view rest = takeWord(line);
  const std::string_view family = takeName(rest, true);
  const std::string_view type = takeWord(line);
  constexpr std::array<std::string_view, 6> kOthers{"gauge", "untyped",  "unknown",
                                                    "info",  "stateset", "gaugehistogram"};
  if (type == "counter")
    type_ = Type::counter;
  else if (type == "histogram")
    type_ = Type::histogram;
  else if (type == "summary")
    type_ = Type::summary;
  else if (std::find(kOthers.begin(), kOthers.end(), type) != kOthers.end())
    type_ = Type::other;
  else
    return fail("names no type that is known");
  if (family.empty() || !rest.empty() || !takeWord(line).empty())
    return fail("is not # TYPE NAME TYPE");
  family_ = family;
}

bool MetricsReader::takeSample(std::string_view line) {
  sample_ = {};
  sample_.name = takeName(line, true);
  labels_.clear();
  if (sample_.name.empty()) return fail("does not begin with a name"), false;
  const bool parted = line.starts_with(' ') || line.starts_with('\t');
  skipBlanks(line);
  if (takeChar(line, '{')) {
    if (!takeLabels(line)) return false;
  } else if (!parted) {
    return fail("has no blank after its name"), false;
  }
  const auto value = parseFloat(takeWord(line));
  if (!value) return fail("holds no number"), false;
  if (!isTimestamp(takeWord(line)) || !takeWord(line).empty())
    return fail("goes on after its value"), false;
  sample_.value = *value;
  sample_.labels = labels_;
  classify();
  return true;
}

bool MetricsReader::takeLabels(std::string_view& rest) {
  while (true) {
    skipBlanks(rest);
    if (takeChar(rest, '}')) return true;
    if (labels_.size() >= kMaxLabels) return fail("has more than 64 labels"), false;
    if (!takeLabel(rest)) return fail("has a label that is not NAME=\"VALUE\""), false;
    const MetricLabel& label = labels_.back();
    if (std::any_of(labels_.begin(), labels_.end() - 1,
                    [&](const MetricLabel& other) { return other.name == label.name; }))
      return fail("has a label twice"), false;
    skipBlanks(rest);
    if (!takeChar(rest, ',') && !rest.starts_with('}'))
      return fail("has labels without a comma between them"), false;
  }
}

bool MetricsReader::takeLabel(std::string_view& rest) {
  MetricLabel label;
  label.name = takeName(rest, false);
  skipBlanks(rest);
  if (label.name.empty() || !takeChar(rest, '=')) return false;
  skipBlanks(rest);
  if (!takeChar(rest, '"')) return false;
  std::size_t end = 0;
  for (; end < rest.size() && rest[end] != '"'; ++end) {
    if (rest[end] != '\\') continue;
    ++end;
    if (end == rest.size() || std::string_view("\\\"n").find(rest[end]) == rest.npos) return false;
  }
  if (end >= rest.size()) return false;
  label.value = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  labels_.push_back(label);
  return true;
}

/// Samples of a histogram, a summary, and of a counter in OpenMetrics, are named as their family
/// with an ending.
void MetricsReader::classify() {
  std::string_view ending = sample_.name;
  sample_.counter = ending.ends_with("_total");
  if (!ending.starts_with(family_)) return;
  ending.remove_prefix(family_.size());
  if (type_ == Type::counter && ending.empty()) sample_.counter = true;
  if (type_ != Type::histogram && type_ != Type::summary) return;
  sample_.bucket = type_ == Type::histogram && ending == "_bucket";
  if (sample_.bucket || ending == "_sum" || ending == "_count") sample_.counter = true;
}

}  // namespace virtseer::agent

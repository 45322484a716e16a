#include "agent/fields.h"

#include <algorithm>

#include "agent/scan.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);
/// Words of a line of names that are looked at.
constexpr std::size_t kMaxWords = 512;

bool beginsWith(std::string_view line, std::string_view key) {
  return line.size() > key.size() && line.starts_with(key) &&
         (line[key.size()] == ' ' || line[key.size()] == '\t');
}

}  // namespace

FieldLines::FieldLines(std::span<const std::string_view> keys) : keys_(keys), values_(keys.size()) {
  order_.reserve(keys.size());
}

void FieldLines::read(std::string_view content) {
  const bool search = order_.size() < keys_.size() && reads_++ % kReadsPerSearch == 0;
  if (search || !readInOrder(content)) learn(content);
}

/// False: a key was not found behind the one that it used to follow.
bool FieldLines::readInOrder(std::string_view content) {
  std::size_t next = 0;
  while (next < order_.size() && !content.empty()) {
    std::string_view line = takeLine(content);
    const std::string_view key = keys_[order_[next]];
    if (!beginsWith(line, key)) continue;
    line.remove_prefix(key.size());
    values_[order_[next++]] = takeNumber(line);
  }
  return next == order_.size();
}

void FieldLines::learn(std::string_view content) {
  order_.clear();
  std::fill(values_.begin(), values_.end(), std::nullopt);
  while (!content.empty()) {
    std::string_view line = takeLine(content);
    const std::string_view word = takeWord(line);
    const auto key = std::find(keys_.begin(), keys_.end(), word);
    if (key == keys_.end()) continue;
    const auto place = static_cast<std::size_t>(key - keys_.begin());
    if (std::find(order_.begin(), order_.end(), place) != order_.end()) continue;
    order_.push_back(place);
    values_[place] = takeNumber(line);
  }
}

FieldPairs::FieldPairs(std::string_view prefix, std::span<const std::string_view> names)
    : prefix_(prefix), names_(names), values_(names.size()) {}

void FieldPairs::read(std::string_view content) {
  std::fill(values_.begin(), values_.end(), std::nullopt);
  while (!content.empty()) {
    const std::string_view heads = takeLine(content);
    if (!beginsWith(heads, prefix_)) continue;
    std::string_view line = takeLine(content);
    if (!beginsWith(line, prefix_)) return;
    if (heads != heads_) learn(heads);
    line.remove_prefix(prefix_.size());
    for (const std::size_t name : wanted_) {
      const std::string_view word = takeWord(line);
      if (name != kNone) values_[name] = parseNumber(word);
    }
    return;
  }
}

void FieldPairs::learn(std::string_view heads) {
  heads_ = heads;
  wanted_.clear();
  heads.remove_prefix(prefix_.size());
  for (std::size_t count = 0; count < kMaxWords; ++count) {
    const std::string_view word = takeWord(heads);
    if (word.empty()) break;
    const auto name = std::find(names_.begin(), names_.end(), word);
    wanted_.push_back(name == names_.end() ? kNone
                                           : static_cast<std::size_t>(name - names_.begin()));
  }
  while (!wanted_.empty() && wanted_.back() == kNone) wanted_.pop_back();
}

}  // namespace virtseer::agent

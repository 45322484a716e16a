#include "agent/http_answer.h"

#include <strings.h>

#include <algorithm>
#include <utility>

#include "agent/scan.h"

namespace virtseer::agent {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr const char* kTooLong = "answered with more than 1 MiB";

bool sameWord(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

void HttpAnswer::fail(std::string what) {
  if (fault_.empty()) fault_ = std::move(what);
}

std::string_view HttpAnswer::take(std::string_view bytes) {
  if (!fault_.empty() || complete_) return {};
  if (!in_body_) {
    const std::size_t before = head_.size();
    constexpr std::size_t kMost = kMaxHeadBytes + kHeadEnd.size();
    head_.append(bytes.substr(0, kMost - before));
    const auto end = head_.find(kHeadEnd, before - std::min(before, kHeadEnd.size() - 1));
    if (end == head_.npos) {
      if (head_.size() == kMost) fail("answered with a head of more than 8192 bytes");
      return {};
    }
    bytes.remove_prefix(end + kHeadEnd.size() - before);
    readHead(std::string_view(head_).substr(0, end));
    in_body_ = true;
    if (!fault_.empty()) return {};
  }
  if (length_) bytes = bytes.substr(0, *length_ - body_bytes_);
  body_bytes_ += bytes.size();
  complete_ = length_ == body_bytes_;
  if (body_bytes_ <= kMaxBodyBytes) return bytes;
  fail(kTooLong);
  return {};
}

void HttpAnswer::finish() {
  if (complete_) return;
  if (!in_body_)
    fail(head_.empty() ? "closed the connection without an answer" : "answered with half a head");
  else if (length_)
    fail("closed the connection amid its answer");
  complete_ = true;
}

/// `head` is without the lines' end that closes it.
void HttpAnswer::readHead(std::string_view head) {
  const std::string_view status = head.substr(0, std::min(head.find("\r\n"), head.size()));
  if (!status.starts_with("HTTP/1.") || status.size() < 12 || status[8] != ' ' ||
      !parseNumber(status.substr(9, 3)))
    return fail("does not speak HTTP");
  const std::string code(status.substr(9, 3));
  if (code.starts_with('3')) return fail("answered " + code + ": redirects are not followed");
  if (code != "200") return fail("answered " + code);
  head.remove_prefix(std::min(status.size() + 2, head.size()));
  while (!head.empty()) {
    std::string_view line = takeLine(head);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto colon = line.find(':');
    if (colon == line.npos) continue;
    std::string_view rest = line.substr(colon + 1);
    readField(line.substr(0, colon), takeWord(rest));
  }
}

void HttpAnswer::readField(std::string_view name, std::string_view value) {
  if (sameWord(name, "Transfer-Encoding") || sameWord(name, "Content-Encoding")) {
    if (!sameWord(value, "identity"))
      fail("answered in an encoding that was not asked for: " + std::string(value.substr(0, 32)));
  } else if (sameWord(name, "Content-Length")) {
    const auto length = parseNumber(value);
    if (!length || (length_ && *length_ != *length)) return fail("does not speak HTTP");
    if (*length > kMaxBodyBytes) return fail(kTooLong);
    length_ = length;
  }
}

}  // namespace virtseer::agent

#include "fleet/answer.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/text.h"

namespace virtseer::fleet {
namespace {

constexpr std::size_t kMaxProblemBytes = 64 * 1024;
constexpr std::size_t kMaxDetailBytes = 1000;
constexpr std::array kCodes{Code::invalid,     Code::not_found, Code::refused, Code::unreachable,
                            Code::timeout,     Code::busy,      Code::full,    Code::corrupt,
                            Code::unsupported, Code::cancelled, Code::failed};

std::optional<Code> codeNamed(std::string_view text) {
  // A daemon that gives up because it ends is silent from now on; `cancelled` would mean us.
  if (text == name(Code::cancelled)) return Code::unreachable;
  for (const Code code : kCodes)
    if (name(code) == text) return code;
  return std::nullopt;
}

Code codeOf(unsigned status) {
  switch (status) {
    case 400:
    case 413:
    case 415:
    case 431:
      return Code::invalid;
    case 401:
    case 403:
    case 409:
    case 421:
      return Code::refused;
    case 404:
      return Code::not_found;
    case 408:
    case 504:
      return Code::timeout;
    case 429:
    case 503:
      return Code::busy;
    case 501:
      return Code::unsupported;
    case 507:
      return Code::full;
    default:
      return Code::failed;
  }
}

struct Told {
  std::optional<Code> code;
  std::string detail;
};

Told told(const std::string& body) {
  if (body.size() > kMaxProblemBytes) return {};
  const auto problem = nlohmann::json::parse(body, nullptr, false);
  if (!problem.is_object()) return {};
  const auto text = [&](const char* key) -> std::string {
    const auto member = problem.find(key);
    return member != problem.end() && member->is_string() ? member->get<std::string>() : "";
  };
  return {codeNamed(text("code")), toUtf8(printable(text("detail")).substr(0, kMaxDetailBytes))};
}

std::string words(unsigned status, const std::string& detail) {
  if (status == 401)
    return "the daemon there does not take our token" + (detail.empty() ? "" : ": " + detail);
  if (!detail.empty()) return detail;
  if (status >= 300 && status < 400)
    return fmt::format("a redirect ({}), which is not followed: the URL must be the daemon's own",
                       status);
  return fmt::format("HTTP status {}", status);
}

}  // namespace

Result<std::string> body(HttpReply reply) {
  if (reply.status >= 200 && reply.status < 300) return std::move(reply.body);
  const Told problem = told(reply.body);
  return fail(problem.code.value_or(codeOf(reply.status)), words(reply.status, problem.detail));
}

Error misunderstood(const Error& error) {
  return {Code::failed, "the answer is not understood: " + error.message};
}

}  // namespace virtseer::fleet

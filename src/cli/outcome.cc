#include "cli/outcome.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "virtseer/api/exit_codes.h"

namespace virtseer::cli {
namespace {

/// What a problem document says, for a person.
std::string problemText(const Reply& reply) {
  const auto problem = nlohmann::json::parse(reply.body, nullptr, false);
  if (problem.is_object())
    for (const char* field : {"detail", "title"})
      if (const auto text = problem.find(field); text != problem.end() && text->is_string())
        return printable(text->get<std::string>());
  return fmt::format("the daemon answered with status {}", reply.status);
}

}  // namespace

int exitCodeOf(unsigned status) {
  if (status >= 200 && status < 300) return api::kDone;
  if (status == 400) return api::kUsage;
  if (status == 401 || status == 403 || status == 421) return api::kRefused;
  return api::kFailed;
}

Outcome unanswered(const Error& error) {
  const bool silent = error.code == Code::unreachable || error.code == Code::timeout;
  const int code = silent                        ? api::kNotReachable
                   : error.code == Code::invalid ? api::kUsage
                                                 : api::kFailed;
  return {code, "", fmt::format("virtseer: {}\n", error.message)};
}

Outcome refusedBy(const Reply& reply, Output output) {
  return {exitCodeOf(reply.status), output == Output::json ? reply.body : "",
          fmt::format("virtseer: {}\n", problemText(reply))};
}

Outcome nonsense(const Error& error) {
  return {api::kFailed, "", fmt::format("virtseer: {}\n", error.message)};
}

}  // namespace virtseer::cli

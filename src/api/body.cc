#include "api/body.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace virtseer::api {
namespace {

constexpr std::size_t kShown = 128;
constexpr std::size_t kLongestHost = 255;
constexpr std::array<std::string_view, 1> kOnMembers{"on"};
constexpr std::array<std::string_view, 1> kTokenMembers{"token"};
constexpr std::array<std::string_view, 1> kFencedMembers{"fenced"};
constexpr std::array<std::string_view, 3> kMigrateMembers{"to", "dry_run", "copy_storage"};
constexpr std::array<std::string_view, 5> kEnrollMembers{"dry_run", "remove", "way", "address",
                                                         "next_start"};

std::string list(std::span<const std::string_view> members) {
  return members.empty() ? "none" : fmt::format("{}", fmt::join(members, ", "));
}

/// Absent where the member is missing or null.
std::expected<std::optional<bool>, Problem> truth(const Json& body, const char* key) {
  const auto found = body.find(key);
  if (found == body.end() || found->is_null()) return std::nullopt;
  if (!found->is_boolean()) return refuse(badBody(fmt::format("{}: must be true or false", key)));
  return found->get<bool>();
}

/// Absent where the member is missing or null.
std::expected<std::optional<std::string>, Problem> word(const Json& body, const char* key) {
  const auto found = body.find(key);
  if (found == body.end() || found->is_null()) return std::nullopt;
  const auto* text = found->get_ptr<const std::string*>();
  if (text == nullptr) return refuse(badBody(fmt::format("{}: must be a text", key)));
  return *text;
}

/// A port, with `host` HOST:PORT. What may stand in a guest's configuration file, and nothing else.
bool isAddress(std::string_view text, bool host) {
  const auto colon = text.rfind(':');
  if (host != (colon != std::string_view::npos && colon > 0) || text.size() > kLongestHost)
    return false;
  const auto port = host ? text.substr(colon + 1) : text;
  unsigned number = 0;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), number);
  const auto named = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-:[]").find(c) != std::string_view::npos;
  };
  return read.ec == std::errc() && read.ptr == port.data() + port.size() && number > 0 &&
         (!host || number < 65536) && std::all_of(text.begin(), text.end(), named);
}

/// What does not go together; empty: all does.
std::string enrollFault(const EnrollRequest& wish) {
  if (wish.next_start && wish.way != EchoWay::channel)
    return "next_start: goes with way channel alone";
  if (wish.remove)
    return wish.address.empty() ? "" : "address: what is taken back needs none; leave it away";
  switch (wish.way) {
    case EchoWay::channel:
      return wish.address.empty() ? "" : "address: the channel needs none; leave it away";
    case EchoWay::vsock:
      return wish.address.empty() || isAddress(wish.address, false)
                 ? ""
                 : "address: must be a port of vsock, a whole number";
    case EchoWay::tls:
      break;
  }
  return isAddress(wish.address, true)
             ? ""
             : "address: must be HOST:PORT, where the guest reaches this host";
}

}  // namespace

Problem badBody(std::string detail) {
  return problem({Code::invalid, std::move(detail)});
}

std::expected<void, Problem> needJson(std::string_view content_type) {
  if (content_type.substr(0, content_type.find_first_of("; ")) == kJsonType) return {};
  return refuse(
      Problem{415, "unsupported_media_type", "the body must be sent as application/json", {}});
}

std::expected<Json, Problem> readObject(std::string_view content_type, std::string_view body,
                                        std::span<const std::string_view> members,
                                        std::string_view what) {
  if (auto type = needJson(content_type); !type) return refuse(std::move(type.error()));
  auto json = Json::parse(body, nullptr, false);
  if (json.is_discarded()) return refuse(badBody("the body is not JSON"));
  if (!json.is_object()) return refuse(badBody("the body must be a JSON object"));
  for (const auto& [key, value] : json.items())
    if (std::find(members.begin(), members.end(), key) == members.end())
      return refuse(badBody(fmt::format("unknown member \"{}\"; {} has {}",
                                        printable(key.substr(0, kShown)), what, list(members))));
  return json;
}

std::expected<void, Problem> readNothing(const Request& request) {
  if (request.body.empty()) return {};
  const auto body = readObject(request.content_type, request.body, {}, "this request");
  if (!body) return refuse(body.error());
  return {};
}

std::expected<bool, Problem> readOn(const Request& request) {
  const auto body = readObject(request.content_type, request.body, kOnMembers, "this request");
  if (!body) return refuse(body.error());
  const auto on = truth(*body, "on");
  if (!on) return refuse(on.error());
  if (!*on) return refuse(badBody("on is missing; it must be true or false"));
  return **on;
}

std::expected<std::string, Problem> readToken(const Request& request) {
  const auto body = readObject(request.content_type, request.body, kTokenMembers, "this request");
  if (!body) return refuse(body.error());
  const auto token = body->find("token");
  if (token == body->end() || !token->is_string() || token->get_ref<const std::string&>().empty())
    return refuse(badBody("token is missing; it must be a text"));
  return token->get<std::string>();
}

std::expected<bool, Problem> readFenced(const Request& request) {
  if (request.body.empty()) return false;
  const auto body = readObject(request.content_type, request.body, kFencedMembers, "this request");
  if (!body) return refuse(body.error());
  const auto fenced = truth(*body, "fenced");
  if (!fenced) return refuse(fenced.error());
  return fenced->value_or(false);
}

std::expected<MigrateRequest, Problem> readMigrate(const Request& request) {
  MigrateRequest out;
  if (request.body.empty()) return out;
  const auto body =
      readObject(request.content_type, request.body, kMigrateMembers, "a request for a move");
  if (!body) return refuse(body.error());
  if (const auto to = body->find("to"); to != body->end() && !to->is_null()) {
    const auto* host = to->get_ptr<const std::string*>();
    if (host == nullptr || host->empty() || host->size() > kLongestHost)
      return refuse(badBody(fmt::format(
          "to: must be the name or UUID of a host, 1 to {} bytes; leave it away for the best one",
          kLongestHost)));
    out.to = *host;
  }
  const auto dry_run = truth(*body, "dry_run");
  if (!dry_run) return refuse(dry_run.error());
  out.dry_run = dry_run->value_or(false);
  const auto copy_storage = truth(*body, "copy_storage");
  if (!copy_storage) return refuse(copy_storage.error());
  out.copy_storage = *copy_storage;
  return out;
}

std::expected<EnrollRequest, Problem> readEnroll(const Request& request) {
  EnrollRequest out;
  if (request.body.empty()) return out;
  const auto body =
      readObject(request.content_type, request.body, kEnrollMembers, "a request to enroll a VM");
  if (!body) return refuse(body.error());
  const auto dry_run = truth(*body, "dry_run"), remove = truth(*body, "remove");
  const auto next_start = truth(*body, "next_start");
  if (!next_start) return refuse(next_start.error());
  if (!dry_run) return refuse(dry_run.error());
  if (!remove) return refuse(remove.error());
  out.dry_run = dry_run->value_or(false);
  out.remove = remove->value_or(false);
  out.next_start = next_start->value_or(false);
  const auto way = word(*body, "way"), address = word(*body, "address");
  if (!way) return refuse(way.error());
  if (!address) return refuse(address.error());
  if (*way) {
    const auto known = parseEchoWay(**way);
    if (!known) return refuse(badBody("way: must be channel, vsock or tls"));
    out.way = *known;
  }
  out.address = address->value_or("");
  if (auto fault = enrollFault(out); !fault.empty()) return refuse(badBody(std::move(fault)));
  return out;
}

}  // namespace virtseer::api

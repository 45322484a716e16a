#include "platform/libvirt/guest_answers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "base/text.h"

namespace virtseer::platform {

namespace {

using Json = nlohmann::json;

/// An honest answer of many file systems on many disks has some 20 KiB and five levels.
constexpr std::size_t kMostBytes = 256 * 1024;
constexpr int kDeepest = 8;
constexpr std::size_t kMostTextBytes = 128;
constexpr double kMostBytesOfDisk = 1e18;
constexpr double kMostLoad = 1e6;

/// What is in "return"; null if the answer has none, or is not to be read.
Json returned(std::string_view answer) {
  if (answer.size() > kMostBytes) return nullptr;
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= kDeepest; };
  const auto reply = Json::parse(answer.begin(), answer.end(), shallow, false);
  if (!reply.is_object()) return nullptr;
  const auto found = reply.find("return");
  return found == reply.end() ? Json(nullptr) : *found;
}

/// Cut between two characters.
std::string clean(std::string_view text) {
  auto end = std::min(text.size(), kMostTextBytes);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;
  return printable(text.substr(0, end));
}

std::string word(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  const auto* text = found->get_ptr<const std::string*>();
  return text ? clean(*text) : std::string();
}

/// A number from 0 to `most`.
std::optional<double> amount(const Json& object, const char* key, double most) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const auto number = found->get<double>();
  return number >= 0 && number <= most ? std::optional(number) : std::nullopt;
}

std::optional<std::uint64_t> bytes(const Json& object, const char* key) {
  const auto number = amount(object, key, kMostBytesOfDisk);
  return number ? std::optional(static_cast<std::uint64_t>(*number)) : std::nullopt;
}

/// Elements of a list that are objects with key: value.
std::uint32_t countWith(const Json& list, const char* key, bool value) {
  std::uint32_t out = 0;
  for (const auto& each : list) {
    const auto found = each.is_object() ? each.find(key) : each.end();
    if (found != each.end() && found->is_boolean() && found->get<bool>() == value) ++out;
  }
  return out;
}

void takeSystem(const Json& told, GuestFacts& into) {
  into.os = word(told, "pretty-name");
  if (into.os.empty()) {
    into.os = word(told, "name");
    if (const auto version = word(told, "version"); !into.os.empty() && !version.empty())
      into.os += " " + version;
  }
  into.kernel = word(told, "kernel-release");
}

void takeFilesystems(const Json& list, GuestFacts& into) {
  for (const auto& each : list) {
    if (into.filesystems.size() == GuestFacts::kMostFilesystems) return;
    if (!each.is_object()) continue;
    auto mountpoint = word(each, "mountpoint");
    if (mountpoint.empty()) continue;
    into.filesystems.push_back({.mountpoint = std::move(mountpoint),
                                .type = word(each, "type"),
                                .total_bytes = bytes(each, "total-bytes"),
                                .used_bytes = bytes(each, "used-bytes")});
  }
}

}  // namespace

const char* commandOf(GuestQuestion question) {
  switch (question) {
    case GuestQuestion::time:
      return R"({"execute":"guest-get-time"})";
    case GuestQuestion::system:
      return R"({"execute":"guest-get-osinfo"})";
    case GuestQuestion::hostname:
      return R"({"execute":"guest-get-host-name"})";
    case GuestQuestion::filesystems:
      return R"({"execute":"guest-get-fsinfo"})";
    case GuestQuestion::disks:
      return R"({"execute":"guest-get-disks"})";
    case GuestQuestion::vcpus:
      return R"({"execute":"guest-get-vcpus"})";
    case GuestQuestion::load:
      break;
  }
  return R"({"execute":"guest-get-load"})";
}

bool takeGuestAnswer(GuestQuestion question, std::string_view answer, GuestFacts& into) {
  const auto told = returned(answer);
  const bool lists = question == GuestQuestion::filesystems || question == GuestQuestion::disks ||
                     question == GuestQuestion::vcpus;
  if (lists ? !told.is_array() : !told.is_object()) return false;
  switch (question) {
    case GuestQuestion::time:
      return false;
    case GuestQuestion::system:
      takeSystem(told, into);
      return true;
    case GuestQuestion::hostname:
      into.hostname = word(told, "host-name");
      return true;
    case GuestQuestion::filesystems:
      takeFilesystems(told, into);
      return true;
    case GuestQuestion::disks:
      into.disks = countWith(told, "partition", false);
      return true;
    case GuestQuestion::vcpus:
      into.vcpus_online = countWith(told, "online", true);
      return true;
    case GuestQuestion::load:
      break;
  }
  into.load1 = amount(told, "load1m", kMostLoad);
  return true;
}

std::optional<std::chrono::nanoseconds> guestTime(std::string_view answer) {
  const auto told = returned(answer);
  if (!told.is_number_unsigned()) return std::nullopt;
  const auto count = told.get<std::uint64_t>();
  if (count > static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count()))
    return std::nullopt;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(count));
}

}  // namespace virtseer::platform

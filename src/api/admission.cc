#include "api/admission.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace virtseer::api {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool sameWord(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

/// The host of a Host header, without its port; empty if it is malformed.
std::string_view hostName(std::string_view host) {
  const std::size_t bracket = host.starts_with('[') ? host.find(']') : 0;
  if (bracket == std::string_view::npos) return {};
  const auto colon = host.find(':', bracket);
  const auto port = colon == std::string_view::npos ? std::string_view() : host.substr(colon + 1);
  const bool digits =
      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return {};
  host = host.substr(0, colon);
  // The root's dot belongs to a full name and changes nothing.
  if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
  return host;
}

bool namesThisHost(const AdmissionRules& rules, const Peer& peer, std::string_view host) {
  for (const std::string_view known : {"localhost", "127.0.0.1", "[::1]"})
    if (sameWord(known, host)) return true;
  // A page's name cannot be an address, so the one that was connected to is as safe as these.
  if (!peer.address.empty() && sameWord(peer.address, host)) return true;
  return std::any_of(rules.allowed_hosts.begin(), rules.allowed_hosts.end(),
                     [&](const std::string& allowed) { return sameWord(allowed, host); });
}

Problem unauthorized(std::string detail) {
  return {
      401, "unauthorized", std::move(detail), {{"WWW-Authenticate", "Bearer realm=\"virtseer\""}}};
}

std::optional<Problem> wrongToken(const AdmissionRules& rules, const Credentials& credentials) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto given = credentials.authorization;
  if (credentials.authorizations != 1 || given.size() <= kScheme.size() ||
      !sameWord(given.substr(0, kScheme.size()), kScheme))
    return unauthorized("the Authorization header must be: Bearer TOKEN");
  if (rules.token.empty())
    return unauthorized("no token is configured here; set api.token_file, or use the UNIX socket");
  if (!sameSecret(rules.token, given.substr(kScheme.size())))
    return unauthorized("the token is not the one of api.token_file");
  return std::nullopt;
}

}  // namespace

std::vector<std::string> fullNames(const std::string& hosts_file, std::string_view name) {
  constexpr std::size_t kMostNames = 16;
  std::vector<std::string> out;
  std::ifstream file(hosts_file);
  for (std::string line; out.size() < kMostNames && std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string word;
    words >> word;  // the address
    while (words >> word)
      if (word.size() > name.size() + 1 && word[name.size()] == '.' &&
          sameWord(name, std::string_view(word).substr(0, name.size())))
        out.push_back(word);
  }
  return out;
}

std::vector<std::string> systemNames(const std::string& hosts_file) {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == 0) return {};
  const std::string whole(name.data());
  const std::string brief = whole.substr(0, whole.find('.'));
  if (brief.empty()) return {};
  std::vector<std::string> out = fullNames(hosts_file, brief);
  out.push_back(brief);
  if (whole != brief) out.push_back(whole);
  return out;
}

bool sameSecret(std::string_view secret, std::string_view given) {
  if (secret.empty()) return false;
  unsigned difference = secret.size() == given.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    // The barrier keeps the compiler from ending the loop at the first difference.
    difference |= static_cast<unsigned char>(given[i]) ^
                  static_cast<unsigned char>(secret[i % secret.size()]);
    asm volatile("" : "+r"(difference));
  }
  return difference == 0;
}

std::optional<Problem> refused(const AdmissionRules& rules, const Peer& peer,
                               const Credentials& credentials) {
  if (peer.local) return std::nullopt;
  if (credentials.hosts != 1)
    return Problem{400, "malformed", "exactly one Host header is needed", {}};
  if (!namesThisHost(rules, peer, hostName(credentials.host)))
    return Problem{421,
                   "misdirected",
                   "\"" + printable(credentials.host.substr(0, 128)) +
                       "\" is not a name of this host; add it to api.allowed_hosts if it should be",
                   {}};
  const bool reads = credentials.method == "GET" || credentials.method == "HEAD";
  if (credentials.authorizations == 0) {
    if (peer.loopback && reads) return std::nullopt;
    return unauthorized(peer.loopback
                            ? "changing anything over TCP needs a token; send Authorization: "
                              "Bearer TOKEN, or use the UNIX socket"
                            : "a token is needed; send Authorization: Bearer TOKEN");
  }
  return wrongToken(rules, credentials);
}

}  // namespace virtseer::api

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http.h"

namespace virtseer::api {

/// Who is on the other side of a connection.
struct Peer {
  bool local = true;      ///< on the UNIX socket, which its file mode guards
  bool loopback = false;  ///< over TCP, from this machine
  std::string address;    ///< over TCP: the address that was connected to, as in a URL ("[::1]")
  std::string remote{};   ///< over TCP: the other side's address, likewise
};

struct AdmissionRules {
  std::string token;                       ///< empty: nothing but reading from loopback over TCP
  std::vector<std::string> allowed_hosts;  ///< further names for the Host header, without port
};

/// What a request says about itself; absent where the header is not there once.
struct Credentials {
  std::string_view method;
  std::size_t hosts = 0;  ///< how many Host headers there are
  std::string_view host;
  std::size_t authorizations = 0;
  std::string_view authorization;
};

/// Whether a request may be answered at all; a problem (400, 401, 421) if not. Over TCP the Host
/// header must name this host, so that no name that an attacker points here opens the API to a
/// browser; then the token is asked for, but for reading from loopback.
std::optional<Problem> refused(const AdmissionRules& rules, const Peer& peer,
                               const Credentials& credentials);

/// The system's own name, its short and its full form, as the kernel and `hosts_file` tell them; no
/// name server is asked. Blocks for reading that file.
std::vector<std::string> systemNames(const std::string& hosts_file = "/etc/hosts");

/// The names of `hosts_file` (as in hosts(5)) that are `name` with a domain.
std::vector<std::string> fullNames(const std::string& hosts_file, std::string_view name);

/// Compares in a time that depends on the length of `given` alone.
bool sameSecret(std::string_view secret, std::string_view given);

}  // namespace virtseer::api

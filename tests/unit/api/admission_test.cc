#include "api/admission.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace virtseer::api;

namespace {

const Peer kLocal{};
const Peer kLoopback{false, true, "127.0.0.1"};
const Peer kFar{false, false, "10.77.0.1"};
const AdmissionRules kRules{"s3cret", {"alpha.example"}};

Credentials asks(std::string_view method, std::string_view host = "localhost") {
  return {method, 1, host, 0, ""};
}

Credentials asksWith(std::string_view authorization, std::string_view method = "GET") {
  return {method, 1, "localhost", 1, authorization};
}

unsigned status(const AdmissionRules& rules, const Peer& peer, const Credentials& credentials) {
  const auto problem = refused(rules, peer, credentials);
  return problem ? problem->status : 0;
}

}  // namespace

TEST_CASE("on the UNIX socket everything is admitted, whatever the Host header says") {
  CHECK(status(kRules, kLocal, {"POST", 0, "", 0, ""}) == 0);
  CHECK(status(kRules, kLocal, {"GET", 2, "evil.example", 0, ""}) == 0);
}

TEST_CASE("from loopback without a token only reading is admitted") {
  CHECK(status(kRules, kLoopback, asks("GET")) == 0);
  CHECK(status(kRules, kLoopback, asks("HEAD")) == 0);
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get"})
    CHECK(status(kRules, kLoopback, asks(method)) == 401);
  CHECK(status({}, kLoopback, asks("GET")) == 0);
  CHECK(status({}, kLoopback, asks("POST")) == 401);
}

TEST_CASE("from afar the token is needed for everything") {
  CHECK(status(kRules, kFar, asks("GET")) == 401);
  CHECK(status(kRules, kFar, asksWith("Bearer s3cret")) == 0);
  CHECK(status(kRules, kFar, asksWith("bearer s3cret", "POST")) == 0);
}

TEST_CASE("a wrong token is refused, even where none is needed") {
  for (const char* given :
       {"Bearer s3cre", "Bearer s3cret1", "Bearer ", "Bearer", "Basic s3cret", "s3cret", ""}) {
    CHECK(status(kRules, kLoopback, asksWith(given)) == 401);
    CHECK(status(kRules, kFar, asksWith(given)) == 401);
  }
  CHECK(status({}, kFar, asksWith("Bearer ")) == 401);
  CHECK(status({}, kFar, asksWith("Bearer x")) == 401);
  CHECK(status(kRules, kFar, {"GET", 1, "localhost", 2, "Bearer s3cret"}) == 401);
}

TEST_CASE("a refusal names the scheme") {
  const auto problem = refused(kRules, kFar, asks("GET"));
  REQUIRE(problem);
  CHECK(problem->headers == Headers{{"WWW-Authenticate", "Bearer realm=\"virtseer\""}});
}

TEST_CASE("over TCP the Host header must name this host") {
  for (const char* host : {"localhost", "LOCALHOST:8686", "127.0.0.1", "127.0.0.1:8686", "[::1]",
                           "[::1]:8686", "alpha.example", "Alpha.Example:1", "localhost."})
    CHECK(status(kRules, kLoopback, asks("GET", host)) == 0);
  for (const char* host :
       {"", "evil.example", "localhost.evil.example", "[::1", "localhost:x", "10.77.0.1", "alpha",
        "127.0.0.1.evil.example", ":8686", "localhost@evil"})
    CHECK(status(kRules, kLoopback, asks("GET", host)) == 421);
  CHECK(status(kRules, kLoopback, {"GET", 0, "", 0, ""}) == 400);
  CHECK(status(kRules, kLoopback, {"GET", 2, "localhost", 0, ""}) == 400);
}

TEST_CASE("the address that was connected to is a name of this host") {
  CHECK(status(kRules, kFar, {"GET", 1, "10.77.0.1:8686", 1, "Bearer s3cret"}) == 0);
  CHECK(status(kRules, kFar, {"GET", 1, "10.77.0.2:8686", 1, "Bearer s3cret"}) == 421);
}

TEST_CASE("the system's own name is known with and without its domain") {
  char file[] = "/tmp/virtseer_hosts_XXXXXX";
  close(mkstemp(file));
  std::ofstream(file) << "127.0.0.1 localhost\n10.0.0.1\tAlpha.example.org alpha # alpha.no\n"
                         "10.0.0.2 alphabet.example.org beta\n";
  CHECK(fullNames(file, "alpha") == std::vector<std::string>{"Alpha.example.org"});
  std::filesystem::remove(file);
  char name[256] = {};
  REQUIRE(gethostname(name, sizeof name - 1) == 0);
  const auto names = systemNames();
  CHECK(std::ranges::count(names, std::string(name)) >= 1);
}

TEST_CASE("secrets are the same only if all of them is") {
  CHECK(sameSecret("abc", "abc"));
  for (const char* given : {"", "a", "abcabc", "abd", "xbc"}) CHECK_FALSE(sameSecret("abc", given));
  CHECK_FALSE(sameSecret("", ""));
}

#include "agent/config_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "agent/server_address.h"
#include "tree.h"

namespace virtseer::agent {
namespace {

std::vector<ConfigFault> faultsOf(std::string_view text) {
  return parseConfig(text).faults;
}

/// The message of the only fault.
std::string faultOf(std::string_view text) {
  const auto faults = faultsOf(text);
  REQUIRE(faults.size() == 1);
  return faults[0].message;
}

std::string shipped() {
  std::ifstream file(VIRTSEER_SOURCE_DIR "/packaging/agent/virtseer-agent.conf");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_CASE("every key is taken as it stands") {
  const auto loaded = parseConfig(
      "# remark\n"
      "  port=unix:/run/echo.sock \n"
      "\tserver =\ttls://[2001:db8::1]:8687\r\n"
      "server_ca = /etc/ca.pem\nserver_name = host.example\ntoken_file = /etc/token\n"
      "vm_uuid = AAAAAAAA-0000-4000-8000-000000000001\n"
      "interval = 500ms\ntop_processes = 0\n\nebpf = no\nlogs = no");
  REQUIRE(loaded.faults.empty());
  const Config& config = loaded.config;
  CHECK(config.port == "unix:/run/echo.sock");
  CHECK(config.server == "tls://[2001:db8::1]:8687");
  CHECK(config.server_ca == "/etc/ca.pem");
  CHECK(config.server_name == "host.example");
  CHECK(config.token_file == "/etc/token");
  CHECK(config.vm_uuid == "aaaaaaaa-0000-4000-8000-000000000001");
  CHECK(config.interval_ms == 500);
  CHECK(config.top_processes == 0);
  CHECK_FALSE(config.ebpf);
  CHECK_FALSE(config.logs);
}

TEST_CASE("every fault is told with its line and what to do") {
  const auto faults = faultsOf(
      "intervall = 5s\ninterval = 5\nnonsense\nlogs = maybe\nlogs = yes\nport =\n"
      "top_processes = -1\nserver = http://a:1\nserver_name = a b\n"
      "token_file = token\nserver_ca = /a\x01\nvm_uuid = 1\ntop_processes = 5 # five\n");
  std::vector<std::size_t> lines;
  for (const auto& fault : faults) lines.push_back(fault.line);
  CHECK(lines == std::vector<std::size_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13});
  CHECK(faults[0].message.starts_with("there is no key 'intervall': there are port, server"));
  CHECK(faults[1].message == "interval: '5' is no time from 200ms to 3600s, such as 5s");
  CHECK(faults[4].message == "logs stands in line 4 already: take one away");
  CHECK(faults[5].message == "port has no value: give one, or take the line away");
}

TEST_CASE("a server needs what proves both sides") {
  CHECK(faultOf("server = vsock://2:8687") ==
        "server needs token_file: what 'virtseer enroll' made for this VM on the host");
  CHECK(faultOf("\nserver = tls://a:1\ntoken_file = /t").starts_with("server needs server_ca"));
  CHECK(faultsOf("server = vsock://2:8687\ntoken_file = /t").empty());
}

TEST_CASE("a hostile configuration is told in clean and few words") {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "\x1b[31mkey\xff = \x07\n";
  const auto faults = faultsOf(text);
  CHECK(faults.size() == kMaxFaults);
  for (const auto& fault : faults) {
    CHECK(fault.message.size() < 600);
    for (const char c : fault.message) CHECK(static_cast<unsigned char>(c) >= 0x20);
  }
  std::string many;
  for (int i = 0; i < 9; ++i) many += "scrape = n" + std::to_string(i) + " http://127.0.0.1:1/\n";
  CHECK(faultOf(many).ends_with("is one too many: 8 at most"));
  CHECK(faultOf("scrape = a http://[::1]/\nscrape = a http://[::1]/")
            .ends_with("has the name of another: choose one of its own"));
}

TEST_CASE("the shipped configuration changes nothing, and each of its lines is right") {
  const auto loaded = parseConfig(shipped());
  CHECK(loaded.faults.empty());
  CHECK(loaded.config.port.empty());
  std::istringstream lines(shipped());
  std::string line, keys;
  while (std::getline(lines, line)) {
    if (!line.starts_with('#') || line.starts_with("# ")) continue;
    const std::string key = line.substr(1, line.find(' ') - 1);
    keys += key + " ";
    CAPTURE(line);
    for (const auto& fault : faultsOf(line.substr(1)))
      CHECK(fault.message.starts_with("server needs"));
  }
  CHECK(keys ==
        "port server server server_ca server_name token_file vm_uuid interval top_processes "
        "scrape scrape scrape_interval statsd statsd_mode statsd_udp uprobe ebpf logs ");
}

TEST_CASE("a file that is not there is a fault only where it was named") {
  Tree tree;
  const std::string file = tree.root() + "/virtseer-agent.conf";
  CHECK(loadConfig(file, false).faults.empty());
  CHECK(loadConfig(file, true).faults.size() == 1);
  tree.write("virtseer-agent.conf", "interval = 1s\n");
  CHECK(loadConfig(file, true).config.interval_ms == 1000);
}

TEST_CASE("a check tells of files that are missing or open to everybody") {
  Tree tree;
  Config config;
  config.token_file = tree.root() + "/token";
  config.server_ca = tree.root() + "/ca.pem";
  CHECK(checkFiles(config).size() == 2);
  tree.write("ca.pem", "x");
  tree.write("token", "0123456789abcdef0123456789abcdef\n");
  REQUIRE(::chmod(config.token_file.c_str(), 0644) == 0);
  REQUIRE(checkFiles(config).size() == 1);
  CHECK(checkFiles(config)[0].message.find("open to everybody") != std::string::npos);
  REQUIRE(::chmod(config.token_file.c_str(), 0640) == 0);
  CHECK(checkFiles(config).empty());
  config.uprobes = {{"f", tree.root() + "/lib.so", "f"}};
  REQUIRE(checkFiles(config).size() == 1);
  CHECK(checkFiles(config)[0].message == tree.root() + "/lib.so: there is no such file");
  tree.write("lib.so", "x");
  CHECK(checkFiles(config).empty());
  tree.write("token", "short\n");
  CHECK(checkFiles(config)[0].message.find("short") == std::string::npos);
}

TEST_CASE("addresses of servers are read strictly") {
  CHECK(parseServer("vsock://2:8687") == Server{Server::Kind::vsock, "", 2, 8687});
  CHECK(parseServer("tls://host-a.example:1") == Server{Server::Kind::tls, "host-a.example", 0, 1});
  CHECK(parseServer("tls://[::1]:65535") == Server{Server::Kind::tls, "::1", 0, 65535});
  for (const char* wrong :
       {"", "tls://", "tls://a", "tls://a:0", "tls://a:65536", "tls://a b:1", "tls://[a]:1",
        "tls://::1:1", "tcp://a:1", "vsock://2", "vsock://2:0", "vsock://x:1",
        "vsock://4294967295:1", "vsock://2:99999999999", "tls://a/b:1", "tls://[127.0.0.1]:1"})
    CHECK_FALSE(parseServer(wrong));
}

TEST_CASE("a host is an address or stands in /etc/hosts") {
  Tree tree;
  tree.write("etc/hosts",
             "127.0.0.1 localhost\n# 10.0.0.9 host-a\n192.0.2.7\tother HOST-A # x\n::zz bad\n");
  const auto found = resolve(*parseServer("tls://host-a:8687"), tree.root());
  REQUIRE(found);
  CHECK(found->family() == AF_INET);
  CHECK(resolve(*parseServer("tls://[::1]:1"), tree.root())->family() == AF_INET6);
  CHECK(resolve(*parseServer("vsock://2:1"), tree.root())->family() == AF_VSOCK);
  CHECK(resolve(*parseServer("tls://bad:1"), tree.root()).error() ==
        "bad is neither an address nor a name in /etc/hosts: add it there");
}

}  // namespace
}  // namespace virtseer::agent

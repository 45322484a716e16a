#include "agent/sources/log_text.h"

#include <catch2/catch.hpp>
#include <string>

namespace virtseer::agent {
namespace {

TEST_CASE("values of secrets are masked in the usual ways to write them") {
  struct Case {
    const char* text;
    const char* masked;
  };
  for (const Case& c : {
           Case{"login password=hunter2 ok", "login password=*** ok"},
           {"PASSWORD = 'hunter 2' ok", "PASSWORD = '***' ok"},
           {"PGPASSWORD=abc psql", "PGPASSWORD=*** psql"},
           {"user&token=abc&next=1", "user&token=***&next=1"},
           {R"({"client_secret": "a\"b", "x": 1})", R"({"client_secret": "***", "x": 1})"},
           {R"(sent {\"password\":\"abc\",\"x\":1})", R"(sent {\"password\":\"***",\"x\":1})"},
           {"Authorization: Basic dXNlcjpwYXNz", "Authorization: ***"},
           {"-H 'authorization: Bearer abc.def' url", "-H 'authorization: ***' url"},
           {"sent Bearer eyJhbGciOiJIUzI1NiJ9.e30 to", "sent Bearer *** to"},
           {"mysql --password hunter2 --host db", "mysql --password *** --host db"},
           {"--db-password=hunter2 x", "--db-password=*** x"},
           {"tokenValue: abc", "tokenValue: ***"},
           {"secret_key=abc, api-key=def; apikey: ghi", "secret_key=***, api-key=***; apikey: ***"},
           {"postgres://user:hunter2@db:5432/x", "postgres://user:***@db:5432/x"},
           {"-----BEGIN RSA PRIVATE KEY----- MIIE", "-----BEGIN RSA PRIVATE KEY-----***"},
           {"Set-Cookie: id=abc; Path=/", "Set-Cookie: ***"},
           {"tokens: a passwords=b", "tokens: *** passwords=***"},
       }) {
    INFO(c.text);
    CHECK(maskSecrets(c.text) == c.masked);
  }
}

TEST_CASE("what only speaks of secrets stays as it is") {
  for (const char* text :
       {"Failed password for root from 10.0.0.1 port 22", "token expired", "tokenizer: started",
        "the password", "secret", "http://host:80/a@b", "bearer of news", "user@host: text",
        "password=", "authorization", "cookies are on"}) {
    INFO(text);
    CHECK(maskSecrets(text) == text);
  }
}

std::string masked(const std::string& text) {
  return maskSecrets(text);
}

TEST_CASE("a value that goes on to the end of a message is masked to its end") {
  CHECK(masked("password=" + std::string(2000, 'x')) == "password=***");
  CHECK(masked("password=\"abc def") == "password=\"***");
}

TEST_CASE("a message is one line of bounded length without half characters") {
  CHECK(toldMessage("a\n\tb \x01 c\n") == "a b ? c");
  const std::string cut = toldMessage(std::string(511, 'x') + "\xc3\xa9");
  CHECK(cut == std::string(511, 'x'));
  CHECK(toldMessage("").empty());
}

TEST_CASE("numbers of any kind make no difference, words do") {
  const auto same = [](std::string_view a, std::string_view b) { return shapeOf(a) == shapeOf(b); };
  CHECK(same("worker 12 died after 3.5s", "worker 7 died after 12.25s"));
  CHECK(same("at 0x7f00aa12", "at 0xdeadbeef1"));
  CHECK(same("id 550e8400-e29b-41d4-a716-446655440000", "id aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"));
  CHECK(same("commit 1f3a", "commit 99b00"));
  CHECK(same("eth0 down", "eth12 down"));
  CHECK_FALSE(same("disk full", "disk bad"));
  CHECK_FALSE(same("a b", "ab"));
  CHECK_FALSE(same("face", "bead"));
}

}  // namespace
}  // namespace virtseer::agent

#include "agent/http_answer.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

namespace virtseer::agent {
namespace {

struct Taken {
  std::string body, fault;
  bool complete = false;

  bool operator==(const Taken&) const = default;
};

Taken takeIn(std::string_view bytes, std::size_t piece, bool close = true) {
  HttpAnswer answer;
  Taken taken;
  while (!bytes.empty()) {
    taken.body += answer.take(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  if (close) answer.finish();
  taken.fault = answer.fault();
  taken.complete = answer.complete();
  return taken;
}

std::string faultOf(const std::string& bytes) {
  return takeIn(bytes, 5000).fault;
}

TEST_CASE("a body ends with the connection, or where it was said to") {
  const std::string open = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\na 1\nb 2\n";
  for (const std::size_t piece : {1, 2, 5, 1000}) {
    CHECK(takeIn(open, piece) == Taken{"a 1\nb 2\n", "", true});
    CHECK_FALSE(takeIn(open, piece, false).complete);
  }
  const std::string sized = "HTTP/1.1 200 OK\r\ncontent-length:  4\r\n\r\na 1\nb 2\n";
  for (const std::size_t piece : {1, 2, 5, 1000})
    CHECK(takeIn(sized, piece, false) == Taken{"a 1\n", "", true});
  CHECK(takeIn("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 9, false).complete);
}

TEST_CASE("nothing but a whole 200 is an answer") {
  CHECK(faultOf("HTTP/1.1 404 Not Found\r\n\r\nno") == "answered 404");
  CHECK(faultOf("HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n") ==
        "answered 302: redirects are not followed");
  CHECK(faultOf("") == "closed the connection without an answer");
  CHECK(faultOf("HTTP/1.1 200 OK\r\n") == "answered with half a head");
  CHECK(faultOf("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na") ==
        "closed the connection amid its answer");
  for (const char* wrong : {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 20\r\n\r\n",
                            "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"})
    CHECK(faultOf(wrong) == "does not speak HTTP");
}

TEST_CASE("a body that is coded is not taken for text") {
  CHECK(faultOf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n") ==
        "answered in an encoding that was not asked for: chunked");
  CHECK(faultOf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b").ends_with("gzip"));
}

TEST_CASE("heads and bodies are bounded") {
  const std::string head = "HTTP/1.0 200 OK\r\n";
  CHECK(faultOf(head + std::string(100'000, 'x')) ==
        "answered with a head of more than 8192 bytes");
  CHECK(faultOf(head + "Content-Length: 1048577\r\n\r\n") == "answered with more than 1 MiB");
  const std::string most(HttpAnswer::kMaxBodyBytes, 'x');
  CHECK(faultOf(head + "\r\n" + most).empty());
  CHECK(faultOf(head + "\r\n" + most + "x") == "answered with more than 1 MiB");
  CHECK(takeIn(head + "\r\n" + most + most, 5000).body.size() <= most.size());
}

}  // namespace
}  // namespace virtseer::agent

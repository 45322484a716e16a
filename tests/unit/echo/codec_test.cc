#include "virtseer/echo/codec.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace virtseer::echo {
namespace {

std::string_view bodyOf(const std::string& frame) {
  return std::string_view(frame).substr(kHeaderBytes);
}

/// A body from JSON, as a stranger would write it.
std::string bodyFrom(const char* json) {
  const auto bytes = nlohmann::json::to_cbor(nlohmann::json::parse(json));
  return {bytes.begin(), bytes.end()};
}

Hello sampleHello() {
  return {.nonce = ~std::uint64_t{0},
          .agent_version = "0.1.0",
          .epoch = kEpochEnd - 1,
          .first_sequence = 3,
          .next_sequence = 9,
          .dropped = 2,
          .mono_ms = 123456,
          .interval_ms = 5000,
          .role = "lab",
          .sources = {{"cpu", "on"}, {"pressure", "not supported"}}};
}

TEST_CASE("every frame comes back as it was") {
  const Hello hello = sampleHello();
  CHECK(decodeHello(bodyOf(encode(hello))).value() == hello);

  const Catalogue catalogue{
      7,
      {{"guest_cpu_seconds_total", {{"cpu", "0"}, {"mode", "user"}}, Kind::counter},
       {"guest_load1", {}, Kind::gauge},
       {"guest_disk_reads_total", {{"device", "Größe 磁盘"}}, Kind::counter}}};
  CHECK(decodeCatalogue(bodyOf(encode(catalogue))).value() == catalogue);

  const Sources sources{{{"cpu", "on"}, {"ebpf", "in part: programs are being loaded"}}};
  CHECK(decodeSources(bodyOf(encode(sources))).value() == sources);

  const LoadState state{5, false, "no /data"};
  CHECK(decodeLoadState(bodyOf(encode(state))).value() == state);

  const Login login{"aaaaaaaa-0000-4000-8000-000000000001", "0123456789abcdef"};
  CHECK(decodeLogin(bodyOf(encode(login))).value() == login);

  const Greeting greeting{.nonce = 42,
                          .stored_epoch = 8,
                          .stored_sequence = 17,
                          .settings = {1000, 20, std::vector<std::string>{"cpu", "disk"}}};
  CHECK(decodeGreeting(bodyOf(encode(greeting))).value() == greeting);
  CHECK(decodeGreeting(bodyOf(encode(Greeting{}))).value() == Greeting{});

  const Ack ack{8, 17};
  CHECK(decodeAck(bodyOf(encode(ack))).value() == ack);

  const Settings settings{std::nullopt, 0, std::vector<std::string>{}};
  CHECK(decodeSettings(bodyOf(encode(settings))).value() == settings);

  const Load load{1, 0.5, 64 << 20, 1 << 20, 1000, 60000};
  CHECK(decodeLoad(bodyOf(encode(load))).value() == load);
}

TEST_CASE("an echo keeps its values, the missing ones as missing") {
  const Echo echo{12, 99000, {1, 0.1, std::nan(""), -7.5, 9007199254740993.0}};
  const auto back = decodeEcho(bodyOf(encode(echo))).value();
  CHECK(back.sequence == 12);
  CHECK(back.mono_ms == 99000);
  REQUIRE(back.values.size() == echo.values.size());
  for (std::size_t i = 0; i < echo.values.size(); ++i) {
    if (std::isnan(echo.values[i]))
      CHECK(std::isnan(back.values[i]));
    else
      CHECK(back.values[i] == echo.values[i]);
  }
}

TEST_CASE("an echo is what a foreign CBOR reader would expect") {
  const std::string frame = encode(Echo{3, 5000, {1.5, std::nan(""), 2}});
  CHECK(nlohmann::json::from_cbor(bodyOf(frame)) ==
        nlohmann::json::parse("[3, 5000, [1.5, null, 2]]"));
}

TEST_CASE("appending an echo to a string that is large enough does not move it") {
  std::string out;
  out.reserve(4096);
  const void* place = out.data();
  const std::vector<double> values(200, 0.1);
  appendEcho(out, 1, 2, values);
  CHECK(out.data() == place);
}

TEST_CASE("fields that a later version adds are stepped over") {
  const auto ack = decodeAck(bodyFrom(R"([1, 2, "new", {"a": [1, 2]}, null])"));
  REQUIRE(ack);
  CHECK(*ack == Ack{1, 2});
}

TEST_CASE("a body cut anywhere is refused") {
  const std::string frame = encode(sampleHello());
  const auto body = bodyOf(frame);
  for (std::size_t size = 0; size < body.size(); ++size)
    CHECK_FALSE(decodeHello(body.substr(0, size)));
  CHECK_FALSE(decodeHello(std::string(body) + '\0'));
}

TEST_CASE("numbers outside of what they may be are refused") {
  CHECK_FALSE(decodeEcho(bodyFrom("[0, 0, []]")));
  CHECK_FALSE(decodeSettings(bodyFrom("[199, null, null]")));
  CHECK_FALSE(decodeSettings(bodyFrom("[3600001, null, null]")));
  CHECK_FALSE(decodeLoad(bodyFrom("[1, -0.5, 0, 0, 0, 0]")));
  CHECK_FALSE(decodeLoad(bodyFrom("[1, null, 0, 0, 0, 0]")));
  CHECK_FALSE(decodeCatalogue(bodyFrom(R"([0, [["a", 2, {}]]])")));
  CHECK_FALSE(decodeCatalogue(bodyFrom(R"([4096, [["a", 0, {}]]])")));
  CHECK_FALSE(decodeCatalogue(bodyFrom(R"([4097, []])")));

  Hello hello = sampleHello();
  hello.epoch = kEpochEnd;
  CHECK_FALSE(decodeHello(bodyOf(encode(hello))));
  hello.epoch = 0;
  CHECK_FALSE(decodeHello(bodyOf(encode(hello))));
}

TEST_CASE("more values than there may be columns are refused") {
  CHECK(decodeEcho(bodyOf(encode(Echo{1, 1, std::vector<double>(kMaxColumns, 0.1)}))));
  CHECK_FALSE(decodeEcho(bodyOf(encode(Echo{1, 1, std::vector<double>(kMaxColumns + 1, 0.1)}))));
}

TEST_CASE("names that could not stand in a metric are refused") {
  for (const char* name : {"", "9a", "a-b", "a\nb", "a b", "ä", "a\"b"}) {
    CAPTURE(name);
    CHECK_FALSE(isName(name));
    const Catalogue metric{0, {{name, {}, Kind::gauge}}};
    CHECK_FALSE(decodeCatalogue(bodyOf(encode(metric))));
    const Catalogue label{0, {{"a", {{name, "x"}}, Kind::gauge}}};
    CHECK_FALSE(decodeCatalogue(bodyOf(encode(label))));
  }
  CHECK(isName("_a9"));
  CHECK(isName(std::string(kMaxNameBytes, 'a')));
  CHECK_FALSE(isName(std::string(kMaxNameBytes + 1, 'a')));
}

TEST_CASE("label values with control characters or broken UTF-8 are refused") {
  using namespace std::string_view_literals;
  for (const std::string_view value :
       {"a\nb"sv, "\x1b[31m"sv, "a\0b"sv, "\x7f"sv, "\xc2\x85"sv, "\xc0\xaf"sv, "\xe0\x80\xaf"sv,
        "\xed\xa0\x80"sv, "\xf4\x90\x80\x80"sv, "\xf8\x88\x80\x80\x80"sv, "\xe2\x82"sv, "\xff"sv}) {
    CHECK_FALSE(isText(value));
    const Catalogue catalogue{0, {{"a", {{"b", std::string(value)}}, Kind::gauge}}};
    CHECK_FALSE(decodeCatalogue(bodyOf(encode(catalogue))));
  }
  CHECK(isText("sda1 ü € 𝄞 \"quoted\" \\"));
  CHECK(isText(std::string(kMaxTextBytes, 'x')));
  CHECK_FALSE(isText(std::string(kMaxTextBytes + 1, 'x')));
}

TEST_CASE("too many labels, too many sources and keys that occur twice are refused") {
  Catalogue catalogue{0, {{"a", {}, Kind::gauge}}};
  for (std::size_t i = 0; i <= kMaxLabels; ++i)
    catalogue.columns[0].labels.emplace("l" + std::to_string(i), "x");
  CHECK_FALSE(decodeCatalogue(bodyOf(encode(catalogue))));

  Hello hello = sampleHello();
  for (std::size_t i = 0; i <= kMaxSources; ++i)
    hello.sources.emplace("s" + std::to_string(i), "on");
  CHECK_FALSE(decodeHello(bodyOf(encode(hello))));

  std::string twice;
  CborWriter cbor(twice);
  cbor.array(2);
  cbor.unsignedInt(0);
  cbor.array(1);
  cbor.array(3);
  cbor.text("a");
  cbor.unsignedInt(0);
  cbor.map(2);
  for (int i = 0; i < 2; ++i) {
    cbor.text("k");
    cbor.text("v");
  }
  CHECK_FALSE(decodeCatalogue(twice));
}

}  // namespace
}  // namespace virtseer::echo

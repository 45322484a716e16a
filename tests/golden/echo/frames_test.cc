#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "virtseer/echo/codec.h"

namespace virtseer::echo {
namespace {

std::string hex(const std::string& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 0xf];
  }
  return text;
}

/// Name -> bytes in hex: lines of "name hex", with blanks and new lines within the hex, and
/// remarks.
std::map<std::string, std::string> goldenFrames() {
  std::ifstream file(VIRTSEER_SOURCE_DIR "/tests/golden/data/echo_frames.txt");
  std::map<std::string, std::string> frames;
  std::string line, name;
  while (std::getline(file, line)) {
    std::istringstream words(line.substr(0, line.find('#')));
    if (!line.empty() && line[0] != ' ' && line[0] != '#') words >> name;
    for (std::string word; words >> word;) frames[name] += word;
  }
  return frames;
}

Hello sampleHello() {
  return {.nonce = 0x0123456789abcdef,
          .agent_version = "0.1.0",
          .epoch = 0x123456789abc,
          .first_sequence = 40,
          .next_sequence = 300,
          .dropped = 39,
          .mono_ms = 1500250,
          .interval_ms = 5000,
          .role = "lab",
          .sources = {{"cpu", "on"}, {"pressure", "/proc/pressure/cpu: Operation not supported"}}};
}

std::map<std::string, std::string> encodedFrames() {
  std::map<std::string, std::string> frames;
  frames["hello"] = encode(sampleHello());
  frames["catalogue"] = encode(
      Catalogue{2,
                {{"guest_load1", {}, Kind::gauge},
                 {"guest_cpu_seconds_total", {{"cpu", "0"}, {"mode", "user"}}, Kind::counter}}});
  frames["echo"] = encode(
      Echo{41, 1505250, {20015998343868.0, 41, 0, 0.52, 1.5, std::nan(""), 1e300, 0.333251953125}});
  frames["load_state"] = encode(LoadState{9, false, "the role of this guest is production"});
  frames["sources"] = encode(Sources{{{"cpu", "on"}, {"logs", "not asked for"}}});
  frames["login"] = encode(Login{"aaaaaaaa-0000-4000-8000-000000000001", "0123456789abcdef"});
  frames["greeting"] = encode(Greeting{.nonce = 0x0123456789abcdef,
                                       .stored_epoch = 0x123456789abc,
                                       .stored_sequence = 39,
                                       .settings = {1000, std::nullopt, std::nullopt}});
  frames["ack"] = encode(Ack{0x123456789abc, 41});
  frames["settings"] = encode(Settings{std::nullopt, 20, std::vector<std::string>{"cpu", "disk"}});
  frames["load"] = encode(Load{9, 1.5, 64 << 20, 1 << 20, 10'000, 60'000});
  return frames;
}

TEST_CASE("the bytes of every frame are those of the first version") {
  const auto golden = goldenFrames();
  for (const auto& [name, frame] : encodedFrames()) {
    CAPTURE(name);
    REQUIRE(golden.contains(name));
    CHECK(hex(frame) == golden.at(name));
  }
  CHECK(golden.size() == encodedFrames().size());
}

}  // namespace
}  // namespace virtseer::echo

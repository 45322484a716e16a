#include "agent/fields.h"

#include <array>
#include <catch2/catch.hpp>
#include <string>

namespace virtseer::agent {
namespace {

constexpr std::array<std::string_view, 3> kKeys{"one", "two", "three"};
using Value = std::optional<std::uint64_t>;

TEST_CASE("keys are found wherever they stand, also after they moved") {
  FieldLines fields(kKeys);
  fields.read("zero 0\none 1\nthree 3\nonetwo 9\n");
  CHECK(fields[0] == 1u);
  CHECK(fields[1] == Value());
  CHECK(fields[2] == 3u);
  fields.read("zero 0\none 11\nthree 33\nonetwo 9\n");
  CHECK(fields[0] == 11u);
  CHECK(fields[2] == 33u);
  fields.read("three 5\ntwo 4\none 3\n");
  CHECK(fields[0] == 3u);
  CHECK(fields[1] == 4u);
  CHECK(fields[2] == 5u);
}

TEST_CASE("a key that is gone, or whose value is no number, has none") {
  FieldLines fields(kKeys);
  fields.read("one 1\ntwo 2\nthree 3\n");
  fields.read("one 1\n");
  CHECK(fields[0] == 1u);
  CHECK(fields[1] == Value());
  CHECK(fields[2] == Value());
  for (int i = 0; i < 64; ++i) fields.read("one -1\ntwo\nthree 99999999999999999999999\n");
  CHECK(fields[0] == Value());
  CHECK(fields[1] == Value());
  CHECK(fields[2] == UINT64_MAX);
  fields.read("");
  CHECK(fields[2] == Value());
}

TEST_CASE("values stand below their names, in the line of the same first word") {
  FieldPairs fields("Udp:", kKeys);
  fields.read("UdpLite: one two\nUdpLite: 8 9\nUdp: zero two one\nUdp: 0 2 1\n");
  CHECK(fields[0] == 1u);
  CHECK(fields[1] == 2u);
  CHECK(fields[2] == Value());
  fields.read("Udp: three two one\nUdp: 3 2 1\n");
  CHECK(fields[2] == 3u);
}

TEST_CASE("names without values, or with too few, give none") {
  FieldPairs fields("Udp:", kKeys);
  fields.read("Udp: one two three\nUdp: 1 x\n");
  CHECK(fields[0] == 1u);
  CHECK(fields[1] == Value());
  CHECK(fields[2] == Value());
  fields.read("Udp: one two three\nTcp: 1 2 3\n");
  CHECK(fields[0] == Value());
  fields.read("Udp: one two three");
  CHECK(fields[0] == Value());
  std::string endless = "Udp:";
  for (int i = 0; i < 100'000; ++i) endless += " x";
  fields.read(endless + " one\n" + endless + " 1\n");
  CHECK(fields[0] == Value());
}

}  // namespace
}  // namespace virtseer::agent

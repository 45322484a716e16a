#include "store/keys.h"

#include <catch2/catch.hpp>

#include "unit/store/store_fixture.h"

namespace virtseer::store {
namespace {

TEST_CASE("keys: their order is the order of streams, columns and times") {
  const StreamId a = test::streamOf(1), b = test::streamOf(2);
  CHECK(chunkKey(a, -5) < chunkKey(a, 0));
  CHECK(chunkKey(a, 255) < chunkKey(a, 256));
  CHECK(chunkKey(a, INT64_MAX) < chunkKey(b, INT64_MIN));
  CHECK(columnKey(a, 255) < columnKey(a, 256));
  CHECK(eventKey(255) < eventKey(256));
  CHECK(parseChunkKey(chunkKey(a, -12345)) == -12345);
  CHECK(parseColumnKey(columnKey(a, 77)) == 77U);
  CHECK(parseStream(chunkKey(b, 1)) == b);
  CHECK(parseEventKey(eventKey(99)) == 99U);
}

TEST_CASE("keys: what is not one is refused") {
  CHECK_FALSE(parseStream("short"));
  CHECK_FALSE(parseStream(std::string(17, '\xff')));
  CHECK_FALSE(parseChunkKey(streamKey(test::streamOf(1))));
  CHECK_FALSE(parseColumnKey(chunkKey(test::streamOf(1), 1)));
  CHECK_FALSE(parseEventKey("1234567"));
}

TEST_CASE("names and events come back, and cut ones are refused") {
  SeriesName name = test::gauge("guest_disk_seconds", {{"disk", "vda"}, {"op", "\xff\0x"}});
  name.kind = Kind::counter;
  const std::string value = nameValue(name);
  CHECK(parseNameValue(value) == name);
  Event event{.id = 5,
              .time = test::at(1),
              .severity = Severity::warning,
              .kind = "vm.started",
              .entity = test::streamOf(3).entity,
              .message = "web1 started",
              .fields = {{"name", "web1"}, {"why", ""}}};
  const std::string written = eventValue(event);
  CHECK(parseEventValue(5, written) == event);
  for (std::size_t size = 0; size < written.size(); ++size) {
    CHECK_FALSE(parseEventValue(5, std::string_view(written).substr(0, size)));
  }
  for (std::size_t size = 0; size < value.size(); ++size) {
    CHECK_FALSE(parseNameValue(std::string_view(value).substr(0, size)));
  }
}

}  // namespace
}  // namespace virtseer::store

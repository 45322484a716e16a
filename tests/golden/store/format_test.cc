#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "store/chunk.h"
#include "store/journal_format.h"
#include "store/keys.h"
#include "store/table_value.h"

/// The worked examples of FORMAT.md, byte for byte, in both directions. The same bytes are kept
/// under tests/golden/data, so that what one version wrote is read by all later ones.
namespace virtseer::store {
namespace {

std::string fileText(const std::string& path) {
  std::ifstream file(std::string(VIRTSEER_SOURCE_DIR) + "/" + path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Bytes from lines of hexadecimal pairs, each with a remark behind a bar.
std::string bytesOf(const std::string& listing) {
  std::string bytes, line, pair;
  std::istringstream lines(listing);
  while (std::getline(lines, line)) {
    std::istringstream pairs(line.substr(0, line.find('|')));
    while (pairs >> pair) bytes.push_back(static_cast<char>(std::stoi(pair, nullptr, 16)));
  }
  return bytes;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
    out += out.size() % 48 == 47 ? '\n' : ' ';
  }
  return out;
}

/// The listing under the heading `name` of FORMAT.md.
std::string documented(const std::string& name) {
  const std::string text = fileText("src/store/FORMAT.md");
  const std::size_t heading = text.find("### Example: " + name + "\n");
  REQUIRE(heading != std::string::npos);
  const std::size_t start = text.find("```\n", heading) + 4;
  return text.substr(start, text.find("```", start) - start);
}

std::string kept(const std::string& name) {
  return bytesOf(fileText("tests/golden/data/store_" + name + "_v1.hex"));
}

/// What is documented, what was kept and what is written today are the same bytes.
void checkBytes(const std::string& name, const std::string& written) {
  INFO("written today:\n" << hex(written));
  CHECK(hex(bytesOf(documented(name))) == hex(written));
  CHECK(hex(kept(name)) == hex(written));
}

StreamId exampleStream() {
  return {*Uuid::parse("5f0c2a9e-1b6d-4c3e-8a77-0d4b9e6f1a20"), Source::guest};
}

ChunkRows exampleChunk() {
  return {.times = {1'700'000'000'000, 1'700'000'005'003, 1'700'000'009'998, 1'700'000'015'001},
          .columns = {0, 1, 2, 5},
          .values = {12.5, 12.75, 13.1, 12.9,             //
                     40'960, 40'960, 40'960, 40'960,      //
                     kMissing, kMissing, 8192.0, 12'288,  //
                     1.0 / 3, 1.0 / 3, 0.25, -0.0}};
}

TEST_CASE("format: the chunk of the example") {
  checkBytes("chunk", encodeChunk(exampleChunk()));
  const std::string bytes = kept("chunk");
  auto chunk = ChunkReader::open(bytes);
  REQUIRE(chunk);
  const ChunkRows wanted = exampleChunk();
  CHECK(chunk->times() == wanted.times);
  CHECK(chunk->columns() == wanted.columns);
  std::vector<double> values;
  for (std::size_t c = 0; c < wanted.columns.size(); ++c) {
    REQUIRE(chunk->decode(wanted.columns[c], values));
    CHECK(std::memcmp(values.data(), wanted.values.data() + c * 4, 32) == 0);
  }
}

TEST_CASE("format: the journal segment of the example") {
  const std::vector<SeriesName> names{{"guest_cpu_percent", {{"cpu", "0"}}, Kind::gauge},
                                      {"guest_net_receive_bytes_total", {}, Kind::counter}};
  std::string written = encodeSegmentHeader({0xC0FFEE01, 3, 1'700'000'000'000});
  SegmentEncoder encoder(0xC0FFEE01);
  encoder.names(exampleStream(), 0, names, written);
  encoder.row(exampleStream(), 1'700'000'000'000, std::vector<double>{12.5, 40'960}, written);
  encoder.row(exampleStream(), 1'700'000'005'003, std::vector<double>{12.75, 40'960}, written);
  checkBytes("journal", written);

  std::vector<SeriesName> named;
  std::vector<Row> rows;
  const SegmentListener listener{
      .names =
          [&](const StreamId& id, Column first, std::vector<SeriesName> found) {
            CHECK(id == exampleStream());
            CHECK(first == 0);
            named = std::move(found);
          },
      .row = [&](const StreamId&, const Row& row) { rows.push_back(row); }};
  const auto reading = readSegment(kept("journal"), listener);
  CHECK(reading.damaged == 0);
  CHECK_FALSE(reading.torn);
  CHECK(named == names);
  REQUIRE(rows.size() == 2);
  CHECK(rows[1].time == Timestamp(Millis(1'700'000'005'003)));
  CHECK(rows[1].values == std::vector<double>{12.75, 40'960});
}

TEST_CASE("format: the keys and values of the example") {
  const SeriesName name{"guest_cpu_percent", {{"cpu", "0"}}, Kind::gauge};
  checkBytes("column-key", columnKey(exampleStream(), 258));
  checkBytes("chunk-key", chunkKey(exampleStream(), 1'700'000'000'000));
  checkBytes("name", nameValue(name));
  CHECK(parseNameValue(kept("name")) == name);

  const Event event{.id = 16'385,
                    .time = Timestamp(Millis(1'700'000'000'250)),
                    .severity = Severity::warning,
                    .kind = "vm.stopped",
                    .entity = exampleStream().entity,
                    .message = "web1 stopped",
                    .fields = {{"name", "web1"}}};
  checkBytes("event-key", eventKey(event.id));
  checkBytes("event", eventValue(event));
  CHECK(parseEventValue(event.id, kept("event")) == event);
}

TEST_CASE("format: the tables of the example") {
  const std::vector<echo::Table> tables{
      {.name = "processes", .columns = {"pid", "command"}, .cells = {1.0, "init", 1.5, {}}}};
  checkBytes("tables", tablesValue(tables));
  CHECK(parseTablesValue(kept("tables")) == tables);
}

TEST_CASE("format: tables that a later compressor would write otherwise are read all the same") {
  std::vector<echo::Table> tables{{.name = "peers", .columns = {"n", "m"}, .cells = {}}};
  for (int i = 0; i < 400; ++i) tables[0].cells.emplace_back(static_cast<double>(i % 4));
  CHECK(parseTablesValue(kept("tables-packed")) == tables);
  const std::string written = tablesValue(tables);
  CHECK(parseTablesValue(written) == tables);
  for (std::size_t cut = 0; cut < written.size(); ++cut)
    CHECK_FALSE(parseTablesValue(std::string_view(written).substr(0, cut)));
}

}  // namespace
}  // namespace virtseer::store

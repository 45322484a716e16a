#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "store/bits.h"
#include "store/bytes.h"
#include "store/codec_column.h"
#include "store/codec_integers.h"
#include "store/codec_scaled.h"
#include "store/codec_xor.h"
#include "store/crc32c.h"
#include "unit/store/store_fixture.h"

namespace virtseer::store {
namespace {

using test::sameBits;

void checkIntegers(const std::vector<std::int64_t>& values) {
  std::string bytes;
  packIntegers(values, bytes);
  std::vector<std::int64_t> back(values.size());
  ByteReader in(bytes);
  REQUIRE(unpackIntegers(in, back));
  CHECK(in.atEnd());
  CHECK(back == values);
}

/// Encodes, decodes and compares bit by bit; gives the codec byte and the size.
std::pair<std::uint8_t, std::size_t> checkColumn(const std::vector<double>& values) {
  std::string bytes;
  const auto codec = encodeColumn(values, bytes);
  REQUIRE(codec);
  std::vector<double> back(values.size());
  REQUIRE(decodeColumn(*codec, bytes, back));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) {
      CHECK(sameBits(back[i], kMissing));
    } else if (!sameBits(values[i], back[i])) {
      FAIL("row " << i << ": " << values[i] << " came back as " << back[i]);
    }
  }
  return {*codec, bytes.size()};
}

Codec kindOf(std::uint8_t codec) {
  return static_cast<Codec>(codec & 0x3F);
}

TEST_CASE("crc32c: instruction and table agree with RFC 3720's example") {
  CHECK(crc32cByTable("123456789") == 0xE3069283U);
  std::mt19937_64 random(1);
  std::string bytes;
  for (int size = 0; size < 200; ++size) {
    CHECK(crc32c(bytes) == crc32cByTable(bytes));
    CHECK(crc32c(std::string_view(bytes).substr(bytes.size() / 2),
                 crc32c(std::string_view(bytes).substr(0, bytes.size() / 2))) == crc32c(bytes));
    bytes.push_back(static_cast<char>(random()));
  }
}

TEST_CASE("bits: numbers of any width come back, and reading past the end fails") {
  std::mt19937_64 random(2);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::pair<std::uint64_t, unsigned>> numbers;
    std::string bytes;
    BitWriter writer(bytes);
    for (int i = 0; i < 50; ++i) {
      const auto width = static_cast<unsigned>(random() % 65);
      numbers.emplace_back(random() & lowBits(width), width);
      writer.put(numbers.back().first, width);
    }
    writer.finish();
    BitReader reader(bytes);
    for (const auto& [number, width] : numbers) CHECK(reader.get(width) == number);
    CHECK(reader.ok());
    reader.get(8);
    CHECK_FALSE(reader.ok());
  }
}

TEST_CASE("varint: every size comes back, overlong and cut ones are refused") {
  for (unsigned shift = 0; shift < 64; ++shift) {
    const std::uint64_t value = (1ULL << shift) | 1;
    std::string bytes;
    putVarint(bytes, value);
    CHECK(bytes.size() == varintBytes(value));
    ByteReader in(bytes);
    CHECK(in.varint() == value);
    CHECK(in.atEnd());
    ByteReader cut(std::string_view(bytes).substr(0, bytes.size() - 1));
    cut.varint();
    CHECK_FALSE(cut.ok());
  }
  ByteReader overlong(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
  overlong.varint();
  CHECK_FALSE(overlong.ok());
}

TEST_CASE("integers: all shapes come back exactly") {
  checkIntegers({0});
  checkIntegers({INT64_MIN, INT64_MAX, INT64_MIN, 0, -1, 1, INT64_MAX});
  checkIntegers({5, 5, 5, 5});
  checkIntegers({7, INT64_MIN});
  std::mt19937_64 random(3);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t count = 1 + random() % 150;
    const auto width = static_cast<unsigned>(random() % 65);
    const std::uint64_t factor = random() % 3 == 0 ? random() % 10000 + 1 : 1;
    const std::uint64_t shape = random() % 4;
    std::uint64_t value = random(), step = random() & lowBits(width);
    std::vector<std::int64_t> values;
    for (std::size_t i = 0; i < count; ++i) {
      values.push_back(static_cast<std::int64_t>(value));
      const std::uint64_t noise = random() & lowBits(width);
      if (shape == 0) value = noise * factor;
      if (shape == 1) value += noise * factor;
      if (shape == 2) value += (step += noise & 7) * factor;
      if (shape == 3 && random() % 10 == 0) value += noise * factor;
    }
    checkIntegers(values);
  }
}

TEST_CASE("integers: a steady counter takes a few bytes, whatever its step") {
  std::vector<std::int64_t> values;
  for (int i = 0; i < 120; ++i) values.push_back(1'000'000'007LL + 4096LL * 977 * i);
  std::string bytes;
  packIntegers(values, bytes);
  CHECK(bytes.size() <= 12);
}

TEST_CASE("integers: cut or altered bytes never read beyond their end") {
  std::mt19937_64 random(4);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::int64_t> values(1 + random() % 100);
    for (auto& value : values) value = static_cast<std::int64_t>(random() >> (random() % 64));
    std::string bytes;
    packIntegers(values, bytes);
    if (random() % 2)
      bytes.resize(random() % bytes.size());
    else
      bytes[random() % bytes.size()] = static_cast<char>(random());
    const std::string exact(bytes.data(), bytes.size());
    ByteReader in(exact);
    std::vector<std::int64_t> back(values.size());
    unpackIntegers(in, back);
    CHECK(in.position() <= exact.size());
  }
}

TEST_CASE("column: each kind of series gets the codec that suits it") {
  std::mt19937_64 random(5);
  std::vector<double> constant(120, 42.5), percent, counter, real, noise;
  double total = 9'007'199'254'000'000.0;
  for (int i = 0; i < 120; ++i) {
    percent.push_back(static_cast<double>(random() % 10001) / 100.0);
    counter.push_back(total += static_cast<double>(random() % 1000));
    real.push_back(20 + std::sin(i) / 3);
    noise.push_back(std::bit_cast<double>(random() | 1ULL << 52));
  }
  CHECK(kindOf(checkColumn(constant).first) == Codec::constant);
  CHECK(checkColumn(std::vector<double>(120, 0.0)).second == 0);
  const auto [percent_codec, percent_size] = checkColumn(percent);
  CHECK(kindOf(percent_codec) == Codec::scaled);
  CHECK(percent_size <= 120 * 14 / 8 + 10);
  const auto [counter_codec, counter_size] = checkColumn(counter);
  CHECK(kindOf(counter_codec) == Codec::scaled);
  CHECK(counter_size <= 120 * 10 / 8 + 20);
  CHECK(kindOf(checkColumn(real).first) == Codec::exclusive_or);
  CHECK(kindOf(checkColumn(noise).first) == Codec::raw);
}

TEST_CASE("column: doubles of any bits come back bit by bit") {
  const double specials[] = {0.0,
                             -0.0,
                             std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::denorm_min(),
                             std::numeric_limits<double>::min(),
                             std::numeric_limits<double>::max(),
                             std::numeric_limits<double>::lowest(),
                             9007199254740992.0,
                             9007199254740993.0,
                             -9007199254740992.0,
                             0.1,
                             1e-9,
                             1e300,
                             kMissing,
                             std::bit_cast<double>(0x7FF8000000000123ULL),
                             std::bit_cast<double>(0xFFF0000000000001ULL)};
  for (const double value : specials) {
    if (!std::isnan(value)) checkColumn({value}), checkColumn({value, value, 1.0});
  }
  std::mt19937_64 random(6);
  for (int round = 0; round < 3000; ++round) {
    std::vector<double> values;
    const std::uint64_t kind = random() % 5;
    double walk = 0;
    for (std::size_t count = 1 + random() % 200; count > 0; --count) {
      double value = walk += static_cast<double>(static_cast<int>(random() % 200) - 100) / 100.0;
      if (kind == 1) value = specials[random() % std::size(specials)];
      if (kind == 2) value = std::bit_cast<double>(random());
      if (kind == 3) value = static_cast<double>(random() >> 11);
      if (kind == 4) value = std::round(walk * 1000) / 1000;
      if (random() % 7 == 0 && round % 2) value = kMissing;
      values.push_back(value);
    }
    if (std::ranges::all_of(values, [](double v) { return std::isnan(v); })) values[0] = 1;
    checkColumn(values);
  }
}

TEST_CASE("column: one that has no value at all is nothing") {
  std::string bytes;
  CHECK_FALSE(encodeColumn(std::vector<double>(10, kMissing), bytes));
  CHECK(bytes.empty());
}

TEST_CASE("column: one that begins or ends within the chunk says so in two or three bytes") {
  std::vector<double> values(120, 7.0);
  std::fill_n(values.begin(), 60, kMissing);
  const auto [codec, size] = checkColumn(values);
  CHECK((codec & kPresenceRuns) != 0);
  CHECK(size <= 3 + 2);
  for (std::size_t i = 0; i < 120; i += 2) values[i] = 1.0, values[i + 1] = kMissing;
  CHECK((checkColumn(values).first & kPresenceBitmap) != 0);
}

TEST_CASE("column: cut or altered bytes are refused or read, never beyond their end") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 5000; ++round) {
    std::vector<double> values(1 + random() % 60);
    for (auto& value : values) {
      value = random() % 5 == 0 ? kMissing : static_cast<double>(random() % 1000) / 7;
    }
    values[0] = 1;
    std::string bytes;
    auto codec = *encodeColumn(values, bytes);
    if (!bytes.empty() && random() % 2) bytes.resize(random() % bytes.size());
    if (!bytes.empty()) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) codec = static_cast<std::uint8_t>(random());
    const std::vector<char> exact(bytes.begin(), bytes.end());
    std::vector<double> back(values.size());
    decodeColumn(codec, {exact.data(), exact.size()}, back);
  }
  SUCCEED();
}

}  // namespace
}  // namespace virtseer::store

#include <catch2/catch.hpp>
#include <chrono>
#include <vector>

#include "virtseer/echo/codec.h"

namespace virtseer::echo {
namespace {

std::string ackFrame(std::uint64_t sequence) {
  return encode(Ack{1, sequence});
}

/// The sequence numbers of all acks that the reader has now.
std::vector<std::uint64_t> acks(FrameReader& reader) {
  std::vector<std::uint64_t> sequences;
  while (const auto frame = reader.next())
    if (const auto ack = decodeAck(frame->body)) sequences.push_back(ack->sequence);
  return sequences;
}

using Sequences = std::vector<std::uint64_t>;

TEST_CASE("frames come out whole, however the bytes are cut") {
  const std::string stream = ackFrame(1) + ackFrame(2) + ackFrame(3);
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    FrameReader reader;
    Sequences read;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      reader.feed(std::string_view(stream).substr(at, piece));
      for (const auto sequence : acks(reader)) read.push_back(sequence);
    }
    CHECK(read == Sequences{1, 2, 3});
    CHECK(reader.faults() == 0);
  }
}

TEST_CASE("after garbage the reader goes on at the next magic, and counts the run once") {
  FrameReader reader;
  reader.feed("garbage\xec\x7e" + ackFrame(1) + "more" + ackFrame(2));
  CHECK(acks(reader) == Sequences{1, 2});
  CHECK(reader.faults() == 2);
}

TEST_CASE("garbage that comes byte by byte is one fault") {
  FrameReader reader;
  for (int i = 0; i < 1000; ++i) {
    reader.feed("x");
    CHECK_FALSE(reader.next());
  }
  CHECK(reader.faults() == 1);
}

TEST_CASE("garbage without an end is counted again and again, and not kept") {
  FrameReader reader;
  for (int i = 0; i < 4096; ++i) {
    reader.feed(std::string(1024, 'x'));
    CHECK_FALSE(reader.next());
  }
  CHECK(reader.faults() >= 8);
  CHECK(reader.faults() <= 32);
}

TEST_CASE("a wrong sum loses that frame alone") {
  std::string damaged = ackFrame(2);
  damaged.back() ^= 1;
  FrameReader reader;
  reader.feed(ackFrame(1) + damaged + ackFrame(3));
  CHECK(acks(reader) == Sequences{1, 3});
  CHECK(reader.faults() == 1);
}

TEST_CASE("any damaged byte loses that frame alone") {
  const std::string good = ackFrame(2);
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string damaged = good;
    damaged[at] ^= 0x10;
    FrameReader reader;
    reader.feed(ackFrame(1) + damaged + ackFrame(3));
    // A longer length waits for bytes that belong to others: they are searched once those came.
    reader.feed(std::string(kHeaderBytes + kMaxBodyBytes, 'x'));
    CAPTURE(at);
    CHECK(acks(reader) == Sequences{1, 3});
    CHECK(reader.faults() >= 1);
  }
}

TEST_CASE("the head of a frame that was cut off does not swallow the frames behind it") {
  const std::string whole = ackFrame(1);
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    FrameReader reader;
    reader.feed(whole.substr(0, cut) + ackFrame(2) + ackFrame(3));
    // Where the length was cut, the bytes that stand in its place may announce a long body.
    reader.feed(std::string(kHeaderBytes + kMaxBodyBytes, 'x'));
    CAPTURE(cut);
    CHECK(acks(reader) == Sequences{2, 3});
  }
}

TEST_CASE("a length beyond the limit is refused at once") {
  std::string frame = ackFrame(1);
  detail::putBigEndian32(frame.data() + 5, kMaxBodyBytes + 1);
  FrameReader reader;
  reader.feed(frame + ackFrame(2));
  CHECK(acks(reader) == Sequences{2});
  CHECK(reader.faults() == 1);
}

TEST_CASE("the largest body passes") {
  std::string frame;
  appendFrame(frame, FrameType::echo, [](std::string& out) { out.append(kMaxBodyBytes, '\xec'); });
  FrameReader reader;
  reader.feed(frame);
  const auto read = reader.next();
  REQUIRE(read);
  CHECK(read->body.size() == kMaxBodyBytes);
}

TEST_CASE("a type of another version is handed on") {
  std::string frame;
  appendFrame(frame, static_cast<FrameType>(200), [](std::string&) {});
  FrameReader reader;
  reader.feed(frame);
  const auto read = reader.next();
  REQUIRE(read);
  CHECK(static_cast<int>(read->type) == 200);
  CHECK(read->body.empty());
}

TEST_CASE("what is fed without being asked for is bounded, and the newest is kept") {
  FrameReader reader;
  for (int i = 0; i < 64; ++i) reader.feed(std::string(kMaxBodyBytes, 'x'));
  reader.feed(ackFrame(9));
  CHECK(acks(reader) == Sequences{9});
  CHECK(reader.faults() >= 60);
}

TEST_CASE("headers made to have long bodies summed in vain cost no more than reading them") {
  std::string trap;
  while (trap.size() < kMaxBodyBytes) {
    char header[kHeaderBytes] = {};
    detail::putBigEndian32(header, kMagic);
    detail::putBigEndian32(header + 5, 200 * 1024);
    trap.append(header, sizeof header);
  }
  FrameReader reader;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 4; ++i) {
    reader.feed(trap);
    while (reader.next()) {
    }
  }
  // Summed at every header it would be four thousand megabytes, about a minute in this build.
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
  CHECK(reader.faults() > 3);
}

}  // namespace
}  // namespace virtseer::echo

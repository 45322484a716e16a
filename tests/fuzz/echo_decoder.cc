#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/session.h"
#include "virtseer/echo/codec.h"

namespace {

using namespace virtseer;

/// What was understood must be understood again from its own encoding.
template <typename Value>
void checkSame(const echo::Decoded<Value>& value,
               echo::Decoded<Value> (*decode)(std::string_view)) {
  if (!value) return;
  const std::string frame = echo::encode(*value);
  const auto again = decode(std::string_view(frame).substr(echo::kHeaderBytes));
  if (!again || !(*again == *value)) std::abort();
}

void decodeAll(std::string_view body) {
  checkSame(echo::decodeHello(body), &echo::decodeHello);
  checkSame(echo::decodeSources(body), &echo::decodeSources);
  checkSame(echo::decodeCatalogue(body), &echo::decodeCatalogue);
  checkSame(echo::decodeLoadState(body), &echo::decodeLoadState);
  checkSame(echo::decodeLogin(body), &echo::decodeLogin);
  checkSame(echo::decodeGreeting(body), &echo::decodeGreeting);
  checkSame(echo::decodeAck(body), &echo::decodeAck);
  checkSame(echo::decodeSettings(body), &echo::decodeSettings);
  checkSame(echo::decodeLoad(body), &echo::decodeLoad);
  if (const auto decoded = echo::decodeEcho(body)) {
    const std::string frame = echo::encode(*decoded);
    const auto again = echo::decodeEcho(std::string_view(frame).substr(echo::kHeaderBytes));
    if (!again || again->values.size() != decoded->values.size()) std::abort();
    if (again->report != decoded->report) std::abort();
  }
}

/// A stream in pieces of one size.
void readStream(std::string_view stream, std::size_t piece) {
  echo::FrameReader reader;
  for (; !stream.empty(); stream.remove_prefix(std::min(piece, stream.size()))) {
    reader.feed(stream.substr(0, piece));
    while (const auto frame = reader.next()) decodeAll(frame->body);
  }
}

/// The fuzzer cannot guess sums: the input as the body of a right frame reaches the session's
/// orders.
void obey(std::uint8_t type, std::string_view body) {
  agent::Session session({.epoch = 1, .version = "1", .role = "lab", .ring_bytes = 4096});
  std::string frame;
  echo::appendFrame(frame, static_cast<echo::FrameType>(type),
                    [&](std::string& out) { out.append(body); });
  session.receive(frame);
  double values[3] = {};
  session.push(1, values);
  while (!session.pending(1).empty()) session.sent(1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  decodeAll(bytes.substr(1));
  readStream(bytes.substr(1), data[0] + std::size_t{1});
  obey(data[0], bytes.substr(1));
  return 0;
}

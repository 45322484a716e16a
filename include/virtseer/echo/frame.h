#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "virtseer/echo/crc32c.h"
#include "virtseer/echo/wire.h"

namespace virtseer::echo {

/// One frame out of a stream. `type` may be a number that this version does not know.
struct Frame {
  FrameType type;
  std::string_view body;  ///< valid until the reader is fed or asked again
};

namespace detail {

inline std::uint32_t bigEndian32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

inline void putBigEndian32(char* to, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<char>(value >> (24 - 8 * i));
}

}  // namespace detail

/// Appends a whole frame to `out`; `write_body(out)` appends the body. Keeps the capacity of `out`.
template <typename WriteBody>
void appendFrame(std::string& out, FrameType type, WriteBody write_body) {
  const std::size_t start = out.size();
  out.append(kHeaderBytes, '\0');
  write_body(out);
  char* header = out.data() + start;
  detail::putBigEndian32(header, kMagic);
  header[4] = static_cast<char>(type);
  detail::putBigEndian32(header + 5, static_cast<std::uint32_t>(out.size() - start - kHeaderBytes));
  const std::string_view frame = std::string_view(out).substr(start);
  detail::putBigEndian32(header + 9,
                         crc32c(frame.substr(kHeaderBytes), crc32c(frame.substr(4, 5))));
}

/// Cuts a stream of bytes that nobody vouches for into frames. After garbage it goes on at the next
/// magic. Not thread-safe.
///
/// Memory is bounded: of bytes fed but not asked for, the newest kMaxUnread are kept. Work is
/// bounded too: once sums have been computed in vain over four times what was fed, a frame with a
/// bad sum is stepped over whole instead of being searched for further magics.
class FrameReader {
 public:
  static constexpr std::size_t kMaxUnread = 4 * (kHeaderBytes + kMaxBodyBytes);

  /// Takes further bytes. Ask `next()` until it is empty before feeding again.
  void feed(std::string_view bytes) {
    buffer_.erase(0, place_);
    place_ = 0;
    fed_ += bytes.size();
    buffer_.append(bytes);
    if (buffer_.size() <= kMaxUnread) return;
    ++faults_;
    buffer_.erase(0, buffer_.size() - kMaxUnread);
  }

  /// The next whole frame with a right sum, or nothing until more bytes are fed.
  std::optional<Frame> next() {
    while (true) {
      skipToMagic();
      const std::string_view rest = std::string_view(buffer_).substr(place_);
      if (rest.size() < kHeaderBytes) return std::nullopt;
      const std::size_t length = detail::bigEndian32(rest.substr(5));
      if (length > kMaxBodyBytes) {
        stepOver(1);
        continue;
      }
      if (rest.size() < kHeaderBytes + length) return std::nullopt;
      const std::string_view body = rest.substr(kHeaderBytes, length);
      if (crc32c(body, crc32c(rest.substr(4, 5))) == detail::bigEndian32(rest.substr(9))) {
        place_ += kHeaderBytes + length;
        run_ = 0;
        return Frame{static_cast<FrameType>(rest[4]), body};
      }
      wasted_ += length;
      stepOver(wasted_ > kMaxUnread + 4 * fed_ ? kHeaderBytes + length : 1);
    }
  }

  /// Runs of garbage (a long run counts again every kMaxBodyBytes), bad sums, lengths beyond the
  /// limit, overflows; since construction.
  std::uint64_t faults() const { return faults_; }

 private:
  /// A header that leads nowhere: one fault, however much garbage follows it.
  void stepOver(std::size_t bytes) {
    ++faults_;
    place_ += bytes;
    run_ = 1;
  }

  void skipToMagic() {
    const std::string_view rest = std::string_view(buffer_).substr(place_);
    char magic[4];
    detail::putBigEndian32(magic, kMagic);
    const std::string_view wanted(magic, sizeof magic);
    std::size_t found = 0;
    while (true) {
      found = std::min(rest.find(magic[0], found), rest.size());
      const std::string_view here = rest.substr(found, sizeof magic);
      if (wanted.starts_with(here)) break;  // also the beginning of a magic at the end of the bytes
      ++found;
    }
    if (found == 0) return;
    if (run_ == 0 || run_ + found > kMaxBodyBytes) {
      ++faults_;
      run_ = 0;
    }
    run_ += found;
    place_ += found;
  }

  std::string buffer_;
  std::size_t place_ = 0;  ///< of the first byte not yet looked at
  std::size_t run_ = 0;    ///< bytes of garbage since the last good frame; 0: none
  std::uint64_t fed_ = 0;
  std::uint64_t wasted_ = 0;  ///< bytes under sums that were wrong
  std::uint64_t faults_ = 0;
};

}  // namespace virtseer::echo

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace virtseer::agent {

/// The answer to a GET of HTTP/1.0: its body as it comes, of nothing but a 200 that was sent as it
/// is (RFC 9112, without transfer codings, and RFC 1945). Nothing of the body is kept.
class HttpAnswer {
 public:
  static constexpr std::size_t kMaxHeadBytes = 8192;
  static constexpr std::uint64_t kMaxBodyBytes = 1024 * 1024;

  /// The part of the next `bytes` that belongs to the body.
  std::string_view take(std::string_view bytes);
  /// To be called where the server has closed the connection.
  void finish();
  /// Whether the body is whole.
  bool complete() const { return complete_ && fault_.empty(); }
  /// Of the answer, e.g. "answered 404"; empty: none.
  const std::string& fault() const { return fault_; }

 private:
  void fail(std::string what);
  void readHead(std::string_view head);
  void readField(std::string_view name, std::string_view value);

  std::string head_;
  bool in_body_ = false;
  bool complete_ = false;
  std::optional<std::uint64_t> length_;
  std::uint64_t body_bytes_ = 0;
  std::string fault_;
};

}  // namespace virtseer::agent

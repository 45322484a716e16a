#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace virtseer {

/// What the caller may do about a failure; the message is for a person.
enum class Code {
  invalid,      ///< the input is wrong: correct it
  not_found,    ///< there is no such thing
  refused,      ///< not allowed here: policy, rights, role
  unreachable,  ///< the other side is not there: try again later
  timeout,      ///< no answer in time; the other side may still act
  busy,         ///< a bound is reached: try again later
  full,         ///< no space
  corrupt,      ///< stored bytes are damaged
  unsupported,  ///< this environment cannot do it
  cancelled,    ///< given up on purpose
  failed,       ///< anything else
};

/// The snake_case name of a code, as it appears in JSON.
std::string_view name(Code code);

struct Error {
  Code code = Code::failed;
  std::string message;

  /// The same failure, seen from one level up: "context: message".
  Error in(std::string_view context) const { return {code, std::string(context) + ": " + message}; }
  bool operator==(const Error&) const = default;
};

template <class T = void>
using Result = std::expected<T, Error>;

/// `return fail(Code::invalid, "...")` from any function that returns a Result.
inline std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}
inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}

}  // namespace virtseer

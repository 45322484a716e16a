#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "virtseer/echo/cbor.h"
#include "virtseer/echo/text.h"
#include "virtseer/echo/wire.h"

/// Texts and names out of bytes that nobody vouches for; empty once the reader has failed.
namespace virtseer::echo::detail {

inline std::string checkedText(CborReader& cbor, std::size_t max_bytes = kMaxTextBytes) {
  const std::string_view text = cbor.text(max_bytes);
  if (cbor.ok() && !isPrintable(text)) cbor.fail("text holds control characters or is not UTF-8");
  return std::string(cbor.ok() ? text : std::string_view{});
}

inline std::string checkedName(CborReader& cbor) {
  const std::string_view name = cbor.text(kMaxNameBytes);
  if (cbor.ok() && !isName(name)) cbor.fail("a name holds characters other than [a-zA-Z0-9_]");
  return std::string(cbor.ok() ? name : std::string_view{});
}

}  // namespace virtseer::echo::detail

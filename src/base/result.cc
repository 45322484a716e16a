#include "base/result.h"

namespace virtseer {

std::string_view name(Code code) {
  switch (code) {
    case Code::invalid:
      return "invalid";
    case Code::not_found:
      return "not_found";
    case Code::refused:
      return "refused";
    case Code::unreachable:
      return "unreachable";
    case Code::timeout:
      return "timeout";
    case Code::busy:
      return "busy";
    case Code::full:
      return "full";
    case Code::corrupt:
      return "corrupt";
    case Code::unsupported:
      return "unsupported";
    case Code::cancelled:
      return "cancelled";
    case Code::failed:
      return "failed";
  }
  return "failed";
}

}  // namespace virtseer

#include "api/handlers.h"

// The file as it stands in the source tree becomes part of the binary; CMake names it and makes
// this object depend on it.
asm(".pushsection .rodata\n"
    ".global virtseer_openapi_begin\n"
    ".global virtseer_openapi_end\n"
    "virtseer_openapi_begin:\n"
    ".incbin \"" VIRTSEER_OPENAPI_FILE
    "\"\n"
    "virtseer_openapi_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" {
extern const char virtseer_openapi_begin[];
extern const char virtseer_openapi_end[];
}

namespace virtseer::api {

std::string_view openapiText() {
  return {virtseer_openapi_begin,
          static_cast<std::size_t>(virtseer_openapi_end - virtseer_openapi_begin)};
}

}  // namespace virtseer::api

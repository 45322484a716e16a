#include "platform/libvirt/errors.h"

#include <libvirt/virterror.h>

#include "base/text.h"

namespace virtseer::platform {

namespace {
constexpr std::size_t kMaxMessageBytes = 500;
}

Code codeOf(int libvirt_code, int libvirt_domain) {
  switch (libvirt_code) {
    case VIR_ERR_NO_DOMAIN:
    case VIR_ERR_NO_STORAGE_POOL:
    case VIR_ERR_NO_STORAGE_VOL:
    case VIR_ERR_NO_NETWORK:
      return Code::not_found;
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
      return Code::unsupported;
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
    case VIR_ERR_AUTH_UNAVAILABLE:
    case VIR_ERR_ACCESS_DENIED:
    case VIR_ERR_OPERATION_DENIED:
    case VIR_ERR_MIGRATE_UNSAFE:
      return Code::refused;
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_INVALID_CONN:
      return Code::unreachable;
    case VIR_ERR_SYSTEM_ERROR:  // of a socket, or of anything else: a read-only file system
      return libvirt_domain == VIR_FROM_RPC || libvirt_domain == VIR_FROM_REMOTE ? Code::unreachable
                                                                                 : Code::failed;
    case VIR_ERR_OPERATION_TIMEOUT:
      return Code::timeout;
    case VIR_ERR_OPERATION_ABORTED:
      return Code::cancelled;
    case VIR_ERR_RESOURCE_BUSY:
      return Code::busy;
    case VIR_ERR_INVALID_ARG:
      return Code::invalid;
    default:
      return Code::failed;
  }
}

Error lastError(std::string_view what, virConnectPtr connection) {
  const virError* error = virGetLastError();
  Error out{Code::failed, std::string(what) + ": "};
  if (error && error->message) {
    out.code = codeOf(error->code, error->domain);
    out.message += printable(std::string_view(error->message).substr(0, kMaxMessageBytes));
  } else {
    out.message += "libvirt gives no reason";
  }
  if (connection && virConnectIsAlive(connection) == 0) out.code = Code::unreachable;
  return out;
}

bool lastErrorIsUnsupported() {
  const virError* error = virGetLastError();
  return error && codeOf(error->code, error->domain) == Code::unsupported;
}

}  // namespace virtseer::platform

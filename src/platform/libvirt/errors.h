#pragma once

#include <libvirt/libvirt.h>

#include <string_view>

#include "base/result.h"

namespace virtseer::platform {

/// The calling thread's last libvirt error as ours, with libvirt's number kept out of sight.
/// `connection` may be null; if it is dead the code is `unreachable`, whatever libvirt said.
Error lastError(std::string_view what, virConnectPtr connection);

/// What the caller may do about a libvirt error number of a libvirt error domain. `unreachable` is
/// said of lost connections only: whoever is told so asks again without end.
Code codeOf(int libvirt_code, int libvirt_domain);

/// True if the last error of this thread says that the driver has no such call.
bool lastErrorIsUnsupported();

}  // namespace virtseer::platform

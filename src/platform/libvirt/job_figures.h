#pragma once

#include <libvirt/libvirt.h>

#include <span>

#include "platform/actions.h"

namespace virtseer::platform {

// What libvirt's typed parameters of a job say.

/// How far the job is.
MigrationProgress progressOf(std::span<virTypedParameter> values);
/// What was measured once it was over.
MigrateEnd figuresOf(std::span<virTypedParameter> values);
/// virDomainJobOperation; VIR_DOMAIN_JOB_OPERATION_UNKNOWN if it is not said.
int operationOf(std::span<virTypedParameter> values);

}  // namespace virtseer::platform

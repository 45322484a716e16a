#pragma once

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <optional>
#include <span>
#include <utility>

namespace virtseer::platform {

/// What virDomainGetJobStats() tells of the job that runs now. Owns libvirt's values.
class JobValues {
 public:
  /// Blocks. nullopt: see libvirt's last error.
  static std::optional<JobValues> get(virDomainPtr domain) {
    JobValues out;
    if (virDomainGetJobStats(domain, &out.type, &out.values_, &out.count_, 0) < 0)
      return std::nullopt;
    return out;
  }

  JobValues(JobValues&& other) noexcept
      : type(other.type),
        values_(std::exchange(other.values_, nullptr)),
        count_(std::exchange(other.count_, 0)) {}
  JobValues& operator=(JobValues&&) = delete;
  ~JobValues() { virTypedParamsFree(values_, count_); }

  std::span<virTypedParameter> values() const {
    return {values_, static_cast<std::size_t>(count_)};
  }

  /// After a get() that failed: whether it did so since a migration into this active domain has not
  /// ended. libvirt tells of a migration's progress at its source alone, and refuses elsewhere.
  static bool refusedForIncoming() {
    const virError* error = virGetLastError();
    return error && (error->code == VIR_ERR_OPERATION_UNSUPPORTED ||
                     error->code == VIR_ERR_OPERATION_INVALID);
  }

  int type = VIR_DOMAIN_JOB_NONE;

 private:
  JobValues() = default;

  virTypedParameterPtr values_ = nullptr;
  int count_ = 0;
};

}  // namespace virtseer::platform

#include "platform/libvirt/cpu_expander.h"

#include "platform/libvirt/placement_xml.h"
#include "platform/libvirt/text_ptr.h"

namespace virtseer::platform {

std::vector<std::string> CpuExpander::features(const Connection& connection,
                                               const std::string& virt_type,
                                               const std::string& cpu_xml) {
  if (cpu_xml.empty()) return {};
  const auto key = virt_type + cpu_xml;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
  }
  const char* cpus[] = {cpu_xml.c_str()};
  const Text expanded(virConnectBaselineHypervisorCPU(
      connection.get(), nullptr, nullptr, nullptr, virt_type.empty() ? nullptr : virt_type.c_str(),
      cpus, 1, VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES));
  auto out = expanded ? parseCpuXml(expanded.get()).features : std::vector<std::string>();
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kMost) known_.clear();
  known_[key] = out;
  return out;
}

void CpuExpander::forget() {
  const std::lock_guard lock(mutex_);
  known_.clear();
}

}  // namespace virtseer::platform

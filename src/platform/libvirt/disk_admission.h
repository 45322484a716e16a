#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "platform/actions.h"
#include "platform/libvirt/connection.h"
#include "platform/libvirt/placement_xml.h"

namespace virtseer::platform {

/// What this process can see at a path. What it may not look at may be there.
enum class Sight : std::uint8_t { there, absent, hidden };
/// Of a link: of what it leads to.
Sight sightOf(const std::string& path);
/// What to do about a path that is hidden.
std::string hiddenWords(const std::string& path);

/// Checks the disks of one VM that may come, one after the other: whether they are here, or there
/// is room for all copies together. For a blocking thread.
class DiskAdmission {
 public:
  /// `copied`: what the source copies; nothing else may be on storage of this host alone.
  DiskAdmission(const Connection& connection, std::vector<DiskCopy> copied);

  void check(const DiskXml& named, Admission& out);

 private:
  void checkFile(const DiskXml& disk, Admission& out) const;
  void checkBlock(const DiskXml& disk, Admission& out) const;
  void checkCopy(const DiskXml& disk, const DiskCopy& copied, Admission& out);
  Check room(const DiskXml& disk, const DiskCopy& copied, const std::string& folder);

  const Connection& connection_;
  const std::vector<DiskCopy> copied_;
  const std::vector<PoolXml> pools_;
  std::map<dev_t, std::uint64_t> taken_;  ///< bytes on each file system by the disks so far
};

}  // namespace virtseer::platform

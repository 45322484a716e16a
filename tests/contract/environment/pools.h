#pragma once

#include <libvirt/libvirt.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "virtseer/uuid.h"

namespace virtseer::platform::contract {

/// A folder of the test's own.
class Folder {
 public:
  Folder() { REQUIRE(mkdtemp(path_.data())); }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path() const { return path_; }
  std::string file(const std::string& name, bool make = true) const {
    if (make) std::ofstream(path_ + "/" + name) << name;
    return path_ + "/" + name;
  }

 private:
  std::string path_ = "/tmp/virtseer-pool-XXXXXX";
};

/// A pool of libvirt's test driver for a folder: its volumes are made up.
class Pool {
 public:
  explicit Pool(const std::string& folder) : connection_(virConnectOpen("test:///default")) {
    const auto xml = "<pool type='dir'><name>virtseer-volumes</name><target><path>" + folder +
                     "</path></target></pool>";
    pool_ = virStoragePoolCreateXML(connection_, xml.c_str(), 0);
    REQUIRE(pool_);
  }
  ~Pool() {
    virStoragePoolDestroy(pool_);
    virStoragePoolFree(pool_);
    virConnectClose(connection_);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// A volume, based on another file if one is given.
  void volume(const std::string& name, const std::string& base = "") {
    const auto below = base.empty() ? "" : "<backingStore><path>" + base + "</path></backingStore>";
    const auto xml = "<volume><name>" + name +
                     "</name><capacity>1024</capacity><target><format type='qcow2'/></target>" +
                     below + "</volume>";
    const auto made = virStorageVolCreateXML(pool_, xml.c_str(), 0);
    REQUIRE(made);
    virStorageVolFree(made);
  }

 private:
  virConnectPtr connection_;
  virStoragePoolPtr pool_;
};

/// A VM of libvirt's test driver, active for the test's time or defined only.
class TestVm {
 public:
  TestVm(const std::string& inside, const std::string& devices, bool active = true)
      : connection_(virConnectOpen("test:///default")) {
    const auto xml = "<domain type='test'><name>virtseer-disks</name><uuid>" + uuid().text() +
                     "</uuid><memory unit='MiB'>16</memory><os><type arch='i686'>hvm</type></os>" +
                     inside + "<devices>" + devices + "</devices></domain>";
    domain_ = active ? virDomainCreateXML(connection_, xml.c_str(), 0)
                     : virDomainDefineXML(connection_, xml.c_str());
    REQUIRE(domain_);
  }
  ~TestVm() {
    if (virDomainIsActive(domain_) == 1)
      virDomainDestroy(domain_);
    else
      virDomainUndefine(domain_);
    virDomainFree(domain_);
    virConnectClose(connection_);
  }
  TestVm(const TestVm&) = delete;
  TestVm& operator=(const TestVm&) = delete;

  static Uuid uuid() { return *Uuid::parse("dddddddd-0000-4000-8000-00000000000d"); }

 private:
  virConnectPtr connection_;
  virDomainPtr domain_;
};

/// A disk in a file, as XML.
inline std::string diskXml(const std::string& target, const std::string& path,
                           const std::string& inside = "") {
  return "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='" + path +
         "'/><target dev='" + target + "' bus='virtio'/>" + inside + "</disk>";
}

}  // namespace virtseer::platform::contract

#include "platform/libvirt/placement_xml.h"

#include <catch2/catch.hpp>
#include <string>

using namespace virtseer;
using namespace virtseer::platform;

namespace {

std::string domain(const std::string& inside, const std::string& devices = "") {
  return "<domain type='kvm'><name>web</name><uuid>aaaaaaaa-0000-4000-8000-000000000001</uuid>"
         "<memory unit='MiB'>512</memory><vcpu current='2'>4</vcpu>"
         "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>" +
         inside + "<devices>" + devices + "</devices></domain>";
}

PlacementXml parsed(const std::string& inside, const std::string& devices = "") {
  const auto xml = parsePlacementXml(domain(inside, devices));
  REQUIRE(xml);
  return *xml;
}

PolicyMetadata policy(const std::string& attributes) {
  const auto xml =
      parsed("<metadata><virtseer:vm xmlns:virtseer='https://virtseer.org/ns/1'><virtseer:policy " +
             attributes + "/></virtseer:vm></metadata>");
  REQUIRE(xml.policy);
  return *xml.policy;
}

}  // namespace

TEST_CASE("a VM's needs are read from its XML") {
  const auto xml = parsed(
      "<cpu mode='custom' match='exact'><model>EPYC</model><feature policy='require' "
      "name='x2apic'/>"
      "<feature policy='disable' name='svm'/></cpu>",
      "<emulator>/usr/bin/qemu</emulator>"
      "<interface type='network'><source network='lan'/></interface>"
      "<interface type='bridge'><source bridge='br0'/></interface>"
      "<interface type='bridge'><source bridge='ovs'/><virtualport type='openvswitch'/></interface>"
      "<interface type='direct'><source dev='eno1' mode='bridge'/></interface>");
  CHECK(xml.uuid == *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000001"));
  CHECK(xml.name == "web");
  CHECK(xml.vcpus == 2);
  CHECK(xml.memory_bytes == 512ULL << 20);
  CHECK(xml.machine == "pc-q35-7.2");
  CHECK(xml.arch == "x86_64");
  CHECK(xml.virt_type == "kvm");
  CHECK(xml.emulator == "/usr/bin/qemu");
  CHECK(xml.cpu_mode == CpuMode::custom);
  CHECK(xml.cpu == CpuDescription{"EPYC", {"x2apic"}});
  REQUIRE(xml.interfaces.size() == 4);
  CHECK(xml.interfaces[0].network == "lan");
  CHECK(xml.interfaces[1].bridge == "br0");
  CHECK(xml.interfaces[2].bridge.empty());
  CHECK(xml.interfaces[2].device == "ovs");
  CHECK(xml.interfaces[3].device == "eno1");
  CHECK(xml.unmovable.empty());
  CHECK_FALSE(xml.policy);
}

TEST_CASE("disks are read by their kind, empty drives and read-only media among them") {
  const auto xml = parsed(
      "",
      "<disk type='file' device='disk'><driver type='qcow2'/><source file='/img/a.qcow2'/>"
      "<target dev='vda'/><mirror job='active-commit'/></disk>"
      "<disk type='block' device='disk'><source dev='/dev/vg/b'/><target dev='vdb'/></disk>"
      "<disk type='network' device='disk'><source protocol='rbd' name='pool/c'/>"
      "<target dev='vdc'/></disk>"
      "<disk type='volume' device='disk'><source pool='images' volume='d'/><target "
      "dev='vdd'/></disk>"
      "<disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>"
      "<disk type='file' device='cdrom'><source file='/iso/e.iso'/><target dev='sdb'/></disk>");
  REQUIRE(xml.disks.size() == 6);
  CHECK(xml.disks[0].kind == DiskXml::Kind::file);
  CHECK(xml.disks[0].source == "/img/a.qcow2");
  CHECK(xml.disks[0].driver == "qcow2");
  CHECK(xml.disks[0].mirror == "active-commit");
  CHECK_FALSE(xml.disks[0].read_only);
  CHECK(xml.disks[1].kind == DiskXml::Kind::block);
  CHECK(xml.disks[1].source == "/dev/vg/b");
  CHECK(xml.disks[2].protocol == "rbd");
  CHECK(xml.disks[2].source == "pool/c");
  CHECK(xml.disks[3].kind == DiskXml::Kind::volume);
  CHECK(xml.disks[3].source == "images");
  CHECK(xml.disks[3].volume == "d");
  CHECK(xml.disks[4].empty);
  CHECK(xml.disks[5].read_only);
  CHECK_FALSE(xml.disks[5].empty);
}

TEST_CASE("what cannot come along is said in words") {
  const auto xml = parsed(
      "<launchSecurity type='sev'/>",
      "<hostdev mode='subsystem' type='pci'><source><address domain='0x0000' bus='0x01' "
      "slot='0x00' "
      "function='0x2'/></source></hostdev>"
      "<hostdev mode='subsystem' type='mdev'><source><address uuid='u-1'/></source></hostdev>"
      "<interface type='hostdev'><mac address='52:54:00:00:00:01'/></interface>"
      "<interface type='hostdev'><teaming type='transient' persistent='x'/></interface>"
      "<filesystem type='mount'><target dir='share'/></filesystem>"
      "<tpm><backend type='passthrough'/></tpm><tpm><backend type='emulator'/></tpm>"
      "<shmem name='ivsh'/>");
  CHECK(xml.unmovable == std::vector<std::string>{"host device 0000:01:00.2", "mediated device u-1",
                                                  "network device of the host (52:54:00:00:00:01)",
                                                  "memory shared with other processes (ivsh)",
                                                  "folder of the host (share)", "TPM of the host",
                                                  "encrypted memory (sev)"});
}

TEST_CASE("a policy in the metadata is read key by key") {
  const auto read = policy(
      "mode='suggest' excluded='yes' priority='80' migrate='no' copy_storage='no' "
      "return_trip='yes' unlocked_disks='no'");
  CHECK(read.fault.empty());
  CHECK(read.set == PolicyOverrides{Mode::suggest, true, 80, false, false, true, false});
  // As policies are shown.
  CHECK(policy("migrate='false' excluded='true'").set == policy("migrate='no' excluded='yes'").set);
}

TEST_CASE("a policy that is not understood in full is a fault in words") {
  CHECK(policy("mode='always'").fault == "mode=\"always\" is not understood");
  CHECK(policy("migrate='never'").fault == "migrate=\"never\" is not understood");
  CHECK(policy("migrate='NO'").fault == "migrate=\"NO\" is not understood");
  CHECK(policy("priority='101'").fault == "priority=\"101\" is not understood");
  CHECK(policy("migrat='no'").fault == "there is no key \"migrat\"");
  // What is understood beside it still counts.
  const auto mixed = policy("excluded='yes' wish='1'");
  CHECK(mixed.set.excluded == true);
  CHECK_FALSE(mixed.fault.empty());
}

TEST_CASE("hostile words of a policy are shown bounded and harmless") {
  const auto fault = policy("mode='\xc2\x9b" + std::string(5000, 'x') + "'").fault;
  CHECK(fault.size() < 200);
  CHECK(fault.find('\x9b') == std::string::npos);
}

TEST_CASE("metadata of others is no policy, and two policies are a fault") {
  CHECK_FALSE(parsed("<metadata><virtseer:vm xmlns:virtseer='https://example.org/ns'>"
                     "<virtseer:policy mode='auto'/></virtseer:vm></metadata>")
                  .policy);
  CHECK_FALSE(parsed("<metadata><v:vm xmlns:v='https://virtseer.org/ns/1'/></metadata>").policy);
  const auto twice = parsed(
      "<metadata><v:vm xmlns:v='https://virtseer.org/ns/1'><v:policy mode='auto'/>"
      "<v:policy mode='observe'/></v:vm></metadata>");
  REQUIRE(twice.policy);
  CHECK(twice.policy->fault == "there is more than one policy element");
}

TEST_CASE("who else manages a VM is seen by its metadata") {
  CHECK(parsed("<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'/>"
               "</metadata>")
            .managed_by == "OpenStack Nova");
  CHECK(parsed("<metadata><o:vm xmlns:o='http://ovirt.org/vm/1.0'/></metadata>").managed_by ==
        "oVirt");
  CHECK(parsed("<metadata><x:y xmlns:x='http://example.org'/></metadata>").managed_by.empty());
}

TEST_CASE("what is no domain XML is not read, however it is broken") {
  CHECK_FALSE(parsePlacementXml(""));
  CHECK_FALSE(parsePlacementXml("<domain"));
  CHECK_FALSE(parsePlacementXml("<network/>"));
  CHECK_FALSE(parsePlacementXml("<domain><uuid>no</uuid></domain>"));
  CHECK_FALSE(parsePlacementXml(std::string(5 << 20, ' ') + domain("")));
}

TEST_CASE("devices without end are cut off") {
  std::string many;
  for (int i = 0; i < 3000; ++i) many += "<disk type='file'/><filesystem/><interface type='user'/>";
  const auto xml = parsed("", many);
  CHECK(xml.disks.size() == 256);
  CHECK(xml.interfaces.size() == 256);
  CHECK(xml.unmovable.size() == 32);
}

TEST_CASE("the host's processor and machine types are read from its capabilities") {
  const auto model = parseHostModel(
      "<domainCapabilities><arch>x86_64</arch><cpu><mode name='host-passthrough' supported='yes'/>"
      "<mode name='host-model' supported='yes'><model fallback='forbid'>EPYC</model>"
      "<feature policy='require' name='x2apic'/><feature policy='disable' name='monitor'/></mode>"
      "</cpu></domainCapabilities>");
  REQUIRE(model);
  CHECK(model->cpu == CpuDescription{"EPYC", {"x2apic"}});
  CHECK(model->xml.find("<feature policy=\"disable\" name=\"monitor\"") != std::string::npos);
  CHECK_FALSE(
      parseHostModel("<domainCapabilities><cpu><mode name='host-model' supported='no'/>"
                     "</cpu></domainCapabilities>"));
  CHECK(
      parseMachineTypes("<capabilities><guest><arch name='x86_64'>"
                        "<machine canonical='pc-q35-7.2'>q35</machine><machine>pc-q35-7.2</machine>"
                        "<domain type='kvm'><machine>microvm</machine></domain></arch></guest>"
                        "</capabilities>") == std::vector<std::string>{"microvm", "pc-q35-7.2"});
}

TEST_CASE("a storage pool is read from its XML") {
  const auto pool =
      parsePoolXml("<pool type='dir'><name>images</name><target><path>/img</path></target></pool>");
  REQUIRE(pool);
  CHECK(*pool == PoolXml{"dir", "images", "/img", ""});
  CHECK_FALSE(parsePoolXml("<volume/>"));
}

#include "platform/libvirt/domain_xml.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace virtseer;
using namespace virtseer::platform;

namespace {

const char* const kLabGuest = R"(<domain type='qemu' id='7'>
  <name>g1 &lt;b&gt;</name>
  <memory unit='KiB'>131072</memory>
  <currentMemory unit='KiB'>98304</currentMemory>
  <vcpu placement='static' current='1'>2</vcpu>
  <sysinfo type='smbios'><bios><entry name='opt/org.virtseer/role'>lab</entry></bios></sysinfo>
  <sysinfo type='fwcfg'>
    <entry name='opt/com.example/x'>shadow</entry>
    <entry name='opt/org.virtseer/role'>shadow</entry>
  </sysinfo>
  <devices>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <channel type='unix'><source mode='bind' path='/x'/>
      <target type='virtio' name='org.virtseer.echo.0' state='disconnected'/></channel>
    <memballoon model='virtio'><stats period='5'/></memballoon>
  </devices>
</domain>)";

DomainFacts parse(std::string_view xml) {
  const auto facts = parseDomainXml(xml);
  REQUIRE(facts);
  return *facts;
}

}  // namespace

TEST_CASE("a lab guest's XML tells its role, channel, balloon and size") {
  const auto facts = parse(kLabGuest);
  CHECK(facts.role == Role::shadow);
  CHECK(facts.has_channel);
  CHECK(facts.balloon_period_s == 5u);
  CHECK(facts.vcpus == 1u);
  CHECK(facts.vcpus_maximum == 2u);
  CHECK(facts.memory_bytes == 96ULL << 20);
  CHECK(facts.memory_maximum_bytes == 128ULL << 20);
}

TEST_CASE("a VM that says nothing is production, without channel") {
  const auto facts = parse("<domain><vcpu>4</vcpu><memory unit='GiB'>2</memory></domain>");
  CHECK(facts.role == Role::production);
  CHECK_FALSE(facts.has_channel);
  CHECK_FALSE(facts.balloon_period_s);
  CHECK(facts.vcpus == 4u);
  CHECK(facts.memory_bytes == 2ULL << 30);
}

TEST_CASE("only fw_cfg of the hypervisor names a role") {
  CHECK(parse("<domain><sysinfo type='smbios'><entry name='opt/org.virtseer/role'>lab</entry>"
              "</sysinfo></domain>")
            .role == Role::production);
  CHECK(parse("<domain><metadata><sysinfo type='fwcfg'><entry name='opt/org.virtseer/role'>lab"
              "</entry></sysinfo></metadata></domain>")
            .role == Role::production);
  CHECK(parse("<domain><sysinfo type='fwcfg'><entry name='opt/org.virtseer/role'>root</entry>"
              "</sysinfo></domain>")
            .role == Role::production);
}

TEST_CASE("a balloon without statistics has the period zero, a missing one none") {
  CHECK(
      parse("<domain><devices><memballoon model='virtio'/></devices></domain>").balloon_period_s ==
      0u);
  CHECK_FALSE(
      parse("<domain><devices><memballoon model='none'/></devices></domain>").balloon_period_s);
}

TEST_CASE("a channel counts only as a virtio port on a UNIX socket") {
  CHECK_FALSE(parse("<domain><devices><channel type='pty'><target type='virtio' "
                    "name='org.virtseer.echo.0'/></channel></devices></domain>")
                  .has_channel);
  CHECK_FALSE(parse("<domain><devices><channel type='unix'><target type='guestfwd' "
                    "name='org.virtseer.echo.0'/></channel></devices></domain>")
                  .has_channel);
}

TEST_CASE("text that is no domain is refused") {
  CHECK_FALSE(parseDomainXml(""));
  CHECK_FALSE(parseDomainXml("<domain"));
  CHECK_FALSE(parseDomainXml("<network/>"));
  CHECK_FALSE(parseDomainXml(std::string(kMaxXmlBytes + 1, ' ') + "<domain/>"));
}

TEST_CASE("deep nesting and absurd numbers do no harm") {
  std::string deep = "<domain><vcpu current='-3'>99999999999999999999</vcpu><memory>x</memory>";
  for (int i = 0; i < 100000; ++i) deep += "<a>";
  for (int i = 0; i < 100000; ++i) deep += "</a>";
  const auto facts = parse(deep + "</domain>");
  CHECK_FALSE(facts.vcpus);
  CHECK_FALSE(facts.memory_bytes);
}

TEST_CASE("memory units are libvirt's") {
  CHECK(scaledBytes(1, "") == 1024u);
  CHECK(scaledBytes(1, "b") == 1u);
  CHECK(scaledBytes(1, "bytes") == 1u);
  CHECK(scaledBytes(1, "KB") == 1000u);
  CHECK(scaledBytes(1, "k") == 1024u);
  CHECK(scaledBytes(2, "MiB") == 2u << 20);
  CHECK(scaledBytes(3, "G") == 3ULL << 30);
  CHECK(scaledBytes(1, "TB") == 1000ULL * 1000 * 1000 * 1000);
  CHECK_FALSE(scaledBytes(1, "furlong"));
  CHECK_FALSE(scaledBytes(std::numeric_limits<std::uint64_t>::max(), "KiB"));
}

TEST_CASE("capabilities tell the host's identity and size") {
  const auto facts = parseCapabilitiesXml(R"(<capabilities><host>
    <uuid>11111111-2222-4333-8444-000000000001</uuid>
    <cpu><arch>x86_64</arch><model>Skylake-Server-IBRS</model></cpu>
    <topology><cells num='2'>
      <cell id='0'><memory unit='KiB'>1024</memory><cpus num='2'><cpu id='0'/><cpu id='1'/></cpus></cell>
      <cell id='1'><memory unit='KiB'>2048</memory><cpus num='1'><cpu id='2'/></cpus></cell>
    </cells></topology></host></capabilities>)");
  REQUIRE(facts);
  CHECK(facts->uuid == Uuid::parse("11111111-2222-4333-8444-000000000001"));
  CHECK(facts->cpu_model == "Skylake-Server-IBRS");
  CHECK(facts->memory_bytes == 3u << 20);
  CHECK(facts->cpus == 3);
  CHECK_FALSE(parseCapabilitiesXml("<capabilities/>"));
}

#include "platform/libvirt/enroll_xml.h"

#include <catch2/catch.hpp>

using namespace virtseer;
using namespace virtseer::platform;

namespace {

constexpr const char* kChannel =
    "<channel type='unix'><source mode='bind' path='/run/x'/>"
    "<target type='virtio' name='org.virtseer.echo.0' state='connected'/>"
    "<address type='virtio-serial' controller='0' bus='0' port='1'/></channel>";

EnrollXml parsed(const std::string& devices, const std::string& inside = "") {
  const auto out = parseEnrollXml(
      "<domain type='kvm'><name>web</name><os><type arch='x86_64' "
      "machine='pc-q35-7.2'>hvm</type></os>" +
      inside + "<devices>" + devices + "</devices></domain>");
  REQUIRE(out);
  return *out;
}

std::string port(int number) {
  return "<channel type='unix'><target type='virtio' name='x" + std::to_string(number) +
         "'/><address type='virtio-serial' controller='0' bus='0' port='" + std::to_string(number) +
         "'/></channel>";
}

}  // namespace

TEST_CASE("the echo channel is found as it stands, so that it can be taken away") {
  const auto xml = parsed(kChannel);
  CHECK(xml.side.channel);
  CHECK(xml.channel.find("/run/x") != std::string::npos);
  CHECK(xml.machine == "pc-q35-7.2");
  CHECK(xml.name == "web");
  CHECK_FALSE(parsed("").side.channel);
  CHECK(parsed("").channel.empty());
  CHECK_FALSE(parsed("<channel type='unix'><target type='virtio' "
                     "name='org.qemu.guest_agent.0'/></channel>")
                  .side.channel);
}

TEST_CASE("a channel of that name which the daemon cannot open takes the name") {
  CHECK_FALSE(parsed(kChannel).side.name_taken);
  CHECK_FALSE(parsed("").side.name_taken);
  for (const char* channel :
       {"<channel type='pty'><target type='virtio' name='org.virtseer.echo.0'/></channel>",
        "<channel type='unix'><target type='xen' name='org.virtseer.echo.0'/></channel>"}) {
    CHECK(parsed(channel).side.name_taken);
    CHECK_FALSE(parsed(channel).side.channel);
    CHECK(parsed(channel).channel.empty());
  }
}

TEST_CASE("a port is free where a controller is there whose ports are not all taken") {
  CHECK_FALSE(parsed("").side.port_free);
  CHECK(parsed("<controller type='virtio-serial' index='0'/>").side.port_free);
  // Port 0 is a console's.
  const std::string two = "<controller type='virtio-serial' index='0' ports='3'/>";
  CHECK(parsed(two + port(1)).side.port_free);
  CHECK_FALSE(parsed(two + port(1) + port(2)).side.port_free);
  CHECK(parsed(two + port(0) + port(1)).side.port_free);
  CHECK(parsed(two + port(1) + port(2) + "<controller type='virtio-serial' index='1'/>")
            .side.port_free);
  CHECK_FALSE(parsed("<controller type='virtio-serial' index='0' ports='1'/>").side.port_free);
  CHECK_FALSE(parsed("<controller type='scsi' index='0'/>").side.port_free);
}

TEST_CASE("balloon, vsock and the policy of its metadata are read") {
  const auto xml =
      parsed("<memballoon model='virtio'><stats period='7'/></memballoon><vsock model='virtio'/>",
             "<metadata><v:vm xmlns:v='https://virtseer.org/ns/1'><v:policy enroll='no'/></v:vm>"
             "</metadata>");
  CHECK(xml.side.balloon_period_s == 7u);
  CHECK(xml.side.vsock);
  REQUIRE(xml.metadata);
  CHECK(xml.metadata->fault.empty());
  CHECK(xml.metadata->enroll == false);
  CHECK_FALSE(parsed("<memballoon model='none'/>").side.balloon_period_s);
  CHECK(parsed("<memballoon model='virtio'/>").side.balloon_period_s == 0u);
}

TEST_CASE("a word on enrolling that is not understood is a fault") {
  const auto xml = parsed("",
                          "<metadata><v:vm xmlns:v='https://virtseer.org/ns/1'>"
                          "<v:policy enroll='perhaps'/></v:vm></metadata>");
  REQUIRE(xml.metadata);
  CHECK(xml.metadata->fault.find("perhaps") != std::string::npos);
  CHECK_FALSE(xml.metadata->enroll);
}

TEST_CASE("hostile XML has no surprises") {
  CHECK_FALSE(parseEnrollXml(""));
  CHECK_FALSE(parseEnrollXml("<pool/>"));
  const auto xml = parsed("<controller type='virtio-serial' index='-7' ports='99999999999'/>");
  CHECK(xml.side.port_free);
  CHECK(parsed("<controller type='virtio-serial' ports='0'/>").side.port_free == false);
}

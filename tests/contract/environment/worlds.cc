#include "contract/environment/worlds.h"

#include <libvirt/libvirt.h>

#include <cstdlib>

#include "platform/fake_environment.h"
#include "platform/libvirt.h"
#include "virtseer/echo/wire.h"

namespace virtseer::platform::contract {

namespace asio = boost::asio;

namespace {

const SystemClock kClock;

class FakeWorld final : public World {
 public:
  explicit FakeWorld(std::optional<bool> disk_locks) : fake_(loop.get_executor()) {
    Vm vm;
    vm.uuid = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000001");
    vm.name = "fake-1";
    vm.state = VmState::running;
    vm.vcpus = 2;
    vm.memory_bytes = 1 << 30;
    vm.persistent = true;
    vm.has_channel = true;
    vm_ = vm.uuid;
    fake_.setVm(vm);
    auto& placed = fake_.fakeActions().vm(vm.uuid).placed;
    placed.vcpus = 2;
    placed.memory_bytes = 1 << 30;
    HostState host;
    host.uuid = *Uuid::parse("aaaaaaaa-0000-4000-8000-00000000000f");
    host.name = "fake-host";
    host.cpus_online = 4;
    host.memory_given = 1 << 30;
    host.disk_locks = disk_locks.value_or(false);
    fake_.fakeActions().setHost(host);
    const auto* state = intern({"libvirt_domain_info_vstate", {}, Kind::gauge});
    const auto* time = intern({"libvirt_domain_info_cpu_time_seconds_total", {}, Kind::counter});
    fake_.setStatistics({vm.uuid, false, {{state, 1}, {time, 12.5}}});
    vm.uuid = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000002");
    vm.name = "fake-off";
    vm.state = VmState::shutoff;
    fake_.setVm(vm);
  }

  Environment& environment() override { return fake_; }
  Uuid vm() override { return vm_; }
  void pauseVm() override { fake_.setState(vm_, VmState::paused, "suspended", "paused"); }
  void resumeVm() override { fake_.setState(vm_, VmState::running, "resumed", "unpaused"); }
  std::optional<Uuid> vmWithChannel() override { return vm_; }
  std::string definition(const Uuid& uuid, const std::string& name) override {
    return FakeActions::xml(uuid, name);
  }

 private:
  FakeEnvironment fake_;
  Uuid vm_;
};

/// A libvirt driver, with a connection of the test's own to play the administrator.
class LibvirtWorld final : public World {
 public:
  LibvirtWorld(const std::string& uri, std::optional<bool> disk_locks)
      : uri_(uri),
        environment_(
            libvirtEnvironment(loop.get_executor(), {uri, Millis(30000), &kClock, disk_locks})),
        admin_(virConnectOpen(uri.c_str())) {
    REQUIRE(admin_);
    virDomainPtr* domains = nullptr;
    const int count = virConnectListAllDomains(admin_, &domains, VIR_CONNECT_LIST_DOMAINS_RUNNING);
    REQUIRE(count > 0);
    domain_ = domains[0];
    for (int i = 1; i < count; ++i) virDomainFree(domains[i]);
    std::free(domains);
    REQUIRE(virDomainGetUUID(domain_, vm_.bytes.data()) == 0);
    char* xml = virDomainGetXMLDesc(domain_, 0);
    has_channel_ = xml && std::string_view(xml).find(echo::kChannelName) != std::string_view::npos;
    std::free(xml);
  }

  ~LibvirtWorld() override {
    virDomainResume(domain_);
    virDomainFree(domain_);
    environment_.reset();
    virConnectClose(admin_);
  }

  Environment& environment() override { return *environment_; }
  Uuid vm() override { return vm_; }
  void pauseVm() override { REQUIRE(virDomainSuspend(domain_) == 0); }
  void resumeVm() override { REQUIRE(virDomainResume(domain_) == 0); }
  std::optional<Uuid> vmWithChannel() override {
    return has_channel_ ? std::optional(vm_) : std::nullopt;
  }
  std::string definition(const Uuid& uuid, const std::string& name) override {
    const std::string type(uri_.starts_with("test:") ? "test" : "qemu");
    return "<domain type='" + type + "'><name>" + name + "</name><uuid>" + uuid.text() +
           "</uuid><memory unit='MiB'>16</memory><vcpu>1</vcpu>"
           "<os><type arch='" +
           (type == "test" ? "i686" : "x86_64") + "'>hvm</type></os></domain>";
  }

 private:
  const std::string uri_;
  // First: libvirt wants its event loop registered before the first connection.
  std::unique_ptr<Environment> environment_;
  virConnectPtr admin_;
  virDomainPtr domain_ = nullptr;
  Uuid vm_;
  bool has_channel_ = false;
};

const char* labUri() {
  return std::getenv("VIRTSEER_LAB_URI");
}

}  // namespace

bool World::until(const std::function<bool()>& done) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!done()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    loop.restart();
    loop.run_one_for(std::chrono::milliseconds(100));
  }
  return true;
}

void World::connect() {
  environment().onNotice([this](const Notice& notice) { notices.push_back(notice); });
  tasks.spawn("environment", environment().run());
  REQUIRE(until([&] { return saw(Notice::Kind::connected, ""); }));
}

void World::stop() {
  tasks.cancel();
  REQUIRE(until([&] { return tasks.size() == 0; }));
}

bool World::saw(Notice::Kind kind, std::string_view detail) const {
  for (const auto& notice : notices) {
    if (notice.kind == kind && notice.detail == detail) return true;
  }
  return false;
}

std::vector<std::string> worldNames() {
  std::vector<std::string> names{"fake", "libvirt-test"};
  if (labUri()) names.push_back("lab");
  return names;
}

std::unique_ptr<World> makeWorld(const std::string& name, std::optional<bool> disk_locks) {
  if (name == "fake") return std::make_unique<FakeWorld>(disk_locks);
  return std::make_unique<LibvirtWorld>(name == "lab" ? labUri() : "test:///default", disk_locks);
}

std::unique_ptr<Environment> makeUnreachable(const std::string& name, asio::any_io_executor loop) {
  if (name == "fake") {
    auto fake = std::make_unique<FakeEnvironment>(loop);
    fake->disconnect("nobody is there");
    return fake;
  }
  const std::string uri = name == "lab" ? "qemu+unix:///system?socket=/nonexistent/libvirt-sock"
                                        : "test:///nonexistent/host.xml";
  return libvirtEnvironment(loop, {.uri = uri, .call_deadline = Millis(30000), .clock = &kClock});
}

}  // namespace virtseer::platform::contract

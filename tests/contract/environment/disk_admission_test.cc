#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "contract/environment/pools.h"
#include "contract/environment/worlds.h"

// What a destination says of disks, on libvirt's test driver: the folders are real.

using namespace virtseer;
using namespace virtseer::platform;
using namespace virtseer::platform::contract;

namespace {

constexpr std::uint64_t kHuge = std::uint64_t{1} << 60;

std::string comesWith(const std::string& devices) {
  return "<domain type='test'><name>comes</name>"
         "<uuid>eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee</uuid><devices>" +
         devices + "</devices></domain>";
}

struct Destination {
  Destination() { world->connect(); }
  ~Destination() { world->stop(); }

  Admission asked(const std::string& devices, std::vector<DiskCopy> copied, bool copy = true) {
    auto out = world->await(
        world->environment().actions().admits(comesWith(devices), copy, std::move(copied)));
    REQUIRE(out);
    return *out;
  }

  const std::unique_ptr<World> world = makeWorld("libvirt-test");
  const Folder folder;
  const Pool pool{folder.path()};
};

/// Nothing is closed to root.
class NotRoot {
 public:
  NotRoot() {
    if (user_ == 0) REQUIRE(seteuid(65534) == 0);
  }
  ~NotRoot() { CHECK(seteuid(user_) == 0); }
  NotRoot(const NotRoot&) = delete;
  NotRoot& operator=(const NotRoot&) = delete;

 private:
  const uid_t user_ = geteuid();
};

Check of(const Admission& admission, const std::string& target) {
  const auto found = std::ranges::find(admission.checks, "disk " + target, &Check::name);
  REQUIRE(found != admission.checks.end());
  return *found;
}

}  // namespace

TEST_CASE("the files that a copying move would make are those that are proven not to be here") {
  Destination destination;
  const auto& folder = destination.folder;
  const auto here = folder.file("here.raw"), none = folder.file("none.raw", false);
  const auto devices = diskXml("vda", here) + diskXml("vdb", none) +
                       diskXml("vdc", "/nonexistent/virtseer/disk.raw");
  const std::vector<DiskCopy> copied{{"vda", here, 1}, {"vdb", none, 1}, {"vdc", "", 1}};

  CHECK(destination.asked(devices, copied).copies == std::vector<std::string>{none});
  CHECK(destination.asked(devices, copied, false).copies.empty());
}

TEST_CASE("copies must fit together into what is free where they are made") {
  Destination destination;
  const auto a = destination.folder.file("a.raw", false),
             b = destination.folder.file("b.raw", false);
  const auto devices = diskXml("vda", a) + diskXml("vdb", b);
  const auto with = [&](std::uint64_t first, std::uint64_t second) {
    return destination.asked(devices, {{"vda", a, first}, {"vdb", b, second}});
  };

  CHECK(of(with(1, 1), "vda").held);
  CHECK(of(with(1, 1), "vdb").held);

  const auto large = of(with(kHuge, 1), "vda");
  CHECK_FALSE(large.held);
  CHECK_THAT(large.words, Catch::Contains(std::to_string(kHuge)));
  CHECK_THAT(large.words, Catch::Contains("free in " + destination.folder.path()));
  CHECK_FALSE(of(with(kHuge, 1), "vdb").held);
  CHECK(of(with(1, kHuge), "vda").held);
  CHECK_FALSE(of(with(~std::uint64_t{0}, ~std::uint64_t{0}), "vdb").held);

  const auto unknown = of(with(0, 1), "vda");
  CHECK_FALSE(unknown.held);
  CHECK_THAT(unknown.words, Catch::Contains("how large"));
}

TEST_CASE("a local disk that its source does not copy, or that is no file, keeps the VM away") {
  Destination destination;
  const auto here = destination.folder.file("here.raw");
  CHECK_FALSE(of(destination.asked(diskXml("vda", here), {{"vdb", "", 1}}), "vda").held);
  CHECK_FALSE(of(destination.asked(diskXml("vda", here), {}, false), "vda").held);
  CHECK_FALSE(of(destination.asked("<disk type='block' device='disk'><source dev='/dev/null'/>"
                                   "<target dev='vda'/></disk>",
                                   {{"vda", "", 1}}),
                 "vda")
                  .held);
  CHECK(of(destination.asked(diskXml("vda", here, "<readonly/>"), {}, false), "vda").held);
}

TEST_CASE("a path that is taken by a link to nowhere is not free") {
  Destination destination;
  const auto disk = destination.folder.file("a.raw", false);
  std::filesystem::create_symlink("/nonexistent/virtseer/disk.raw", disk);
  const auto said = destination.asked(diskXml("vda", disk), {{"vda", disk, 1}});
  CHECK_FALSE(of(said, "vda").held);
  CHECK(said.copies.empty());
}

TEST_CASE("what this process may not look at is neither here nor free") {
  Destination destination;
  const auto disk = destination.folder.file("a.raw", false);
  const auto medium = destination.folder.file("b.iso");
  REQUIRE(chmod(destination.folder.path().c_str(), 0) == 0);
  const NotRoot nobody;
  const auto said = destination.asked(diskXml("vda", disk) + diskXml("vdb", medium, "<readonly/>"),
                                      {{"vda", disk, 1}});

  for (const auto* target : {"vda", "vdb"}) {
    CHECK_FALSE(of(said, target).held);
    CHECK_THAT(of(said, target).words, Catch::Contains("cannot be looked at"));
  }
  CHECK(said.copies.empty());
}

#include "daemon/operation_journal.h"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "unit/daemon/keeper_world.h"

using namespace virtseer;
using Folder = daemon::test::StoreFolder;
using World = daemon::test::StoreWorld;
namespace asio = boost::asio;

namespace {

/// While it lives no file of this process can grow: every write fails.
class FullDisk {
 public:
  FullDisk() : ignored_(std::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit none = before_;
    none.rlim_cur = 0;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &none) == 0);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, ignored_);
  }

 private:
  rlimit before_{};
  void (*ignored_)(int);
};

Operation operationIn(OperationState state) {
  Operation out;
  out.id = "m-1";
  out.state = state;
  out.vm = *Uuid::parse("11111111-2222-4333-8444-000000000001");
  out.vm_name = "web";
  return out;
}

/// The journal of a daemon whose store is on a disk.
struct Kept {
  explicit Kept(const Folder& folder) : world(folder.path) {
    world.open();
    world.tasks.spawn("run", world.keeper.run());
  }

  Result<void> write(OperationState state) {
    std::optional<Result<void>> done;
    world.tasks.spawn("write", waitWritten(journal, operationIn(state), done));
    REQUIRE(world.until([&] { return done.has_value(); }));
    return *done;
  }

  static asio::awaitable<void> waitWritten(daemon::OperationJournal& journal, Operation operation,
                                           std::optional<Result<void>>& out) {
    out = co_await journal.write(std::move(operation));
  }

  World world;
  daemon::OperationJournal journal{world.keeper, [](const std::string& key, const std::string&) {
                                     FAIL(key << " cannot be read");
                                   }};
};

}  // namespace

TEST_CASE("an operation whose order was refused for a full disk is no operation, now and later") {
  const Folder folder;
  {
    Kept kept(folder);
    {
      const FullDisk full;
      CHECK_FALSE(kept.write(OperationState::planned));
      CHECK(kept.journal.all().empty());
    }
    REQUIRE(kept.world.until([&] { return kept.world.keeper.problem().empty(); }));
    kept.world.finish();
  }
  Kept again(folder);
  CHECK(again.journal.all().empty());
  again.world.finish();
}

TEST_CASE("a state that could not be written down is not the one that is taken up later") {
  const Folder folder;
  {
    Kept kept(folder);
    REQUIRE(kept.write(OperationState::preparing));
    {
      const FullDisk full;
      CHECK_FALSE(kept.write(OperationState::migrating));
      REQUIRE(kept.journal.all().size() == 1);
      CHECK(kept.journal.all()[0] == operationIn(OperationState::preparing));
    }
    kept.world.finish();
  }
  Kept again(folder);
  REQUIRE(again.journal.all().size() == 1);
  CHECK(again.journal.all()[0] == operationIn(OperationState::preparing));
  REQUIRE(again.write(OperationState::migrating));
  CHECK(again.journal.all()[0] == operationIn(OperationState::migrating));
  again.world.finish();
}

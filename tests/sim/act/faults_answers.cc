#include "sim/act/world.h"

/// Answers that are late, lost, another machine's, or no more than "not now": none is the last
/// word.
namespace virtseer::sim {
namespace {

namespace asio = boost::asio;

using Call = FakeActions::Call;
using Where = Presence::State;

const Error kBusy{Code::busy, "too many connections"};
const Error kLate{Code::timeout, "libvirt does not answer"};

bool advises(const Operation& operation, std::string_view words) {
  return std::ranges::any_of(
      operation.advice, [&](const auto& each) { return each.find(words) != std::string::npos; });
}

TEST_CASE("a renewal that meets a bound is repeated, and the room is kept") {
  World world;
  int refused = 0;
  world.a.peer->on_renew = [&, renew = world.a.peer->on_renew](std::string id) {
    return ++refused <= 3 ? [](Error why) -> asio::awaitable<Result<Reservation>> {
      co_return fail(std::move(why));
    }(kBusy)
                          : renew(std::move(id));
  };
  world.movesTake(Millis(120'000));
  world.begin();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(refused > 6);
}

TEST_CASE("a VM does not go where no room is held for it any more") {
  World world;
  SECTION("found out before libvirt is asked") {
    world.a.libvirt.hold(Call::set_autostart);
    world.begin();
    REQUIRE(world.reaches(State::preparing));
    world.b.reserved.clear();
    world.time.run(Millis(30'000));
    world.a.libvirt.release(Call::set_autostart);
    REQUIRE(world.ends());
    CHECK(world.operation().state == State::refused);
    CHECK(world.a.libvirt.count("migrate") == 0);
  }
  SECTION("found out while libvirt moves it") {
    world.begin();
    REQUIRE(world.reaches(State::migrating));
    world.time.settle();
    world.b.reserved.clear();
    REQUIRE(world.ends(Millis(60'000)));
    CHECK(world.operation().state == State::failed);
    CHECK_THAT(world.operation().message, Catch::Contains("holds no room"));
    CHECK(world.a.libvirt.count("abortJob") == 1);
  }
  world.checkRunsAtAOnly();
}

TEST_CASE("a destination that is too busy to take it over is asked again") {
  World world;
  int asked = 0;
  world.a.peer->on_commit = [&, commit = world.a.peer->on_commit](std::string id,
                                                                  CommitOrder order) {
    return ++asked <= 5 ? [](Error why) -> asio::awaitable<Result<void>> {
      co_return fail(std::move(why));
    }(kBusy)
                        : commit(std::move(id), std::move(order));
  };
  world.movesTake(Millis(1'000));
  world.begin();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(asked == 6);
  CHECK(world.operation().advice.empty());
  CHECK(world.b.libvirt.vm(kVm).definition.autostart);
}

TEST_CASE("another machine at the destination's address takes nothing over") {
  World world;
  world.movesTake(Millis(1'000));
  bool stranger = false;
  world.a.peer->on_vm = [&,
                         ask = world.a.peer->on_vm](Uuid vm) -> asio::awaitable<Result<RemoteVm>> {
    auto answer = co_await ask(vm);
    if (stranger) answer = RemoteVm{.presence = {}, .wellbeing = {}, .host = kVm2};
    co_return answer;
  };
  world.a.peer->on_commit = [&, commit = world.a.peer->on_commit](std::string id,
                                                                  CommitOrder order) {
    return stranger ? [](Error why) -> asio::awaitable<Result<void>> {
      co_return fail(std::move(why));
    }({Code::not_found, "no such operation"})
                    : commit(std::move(id), std::move(order));
  };
  world.begin();
  REQUIRE(world.reaches(State::verifying));
  world.time.run(world.a.rules.watch - Millis(2'000));
  // It is restarted, and has not heard yet who its peer is.
  bool committing = false;
  world.a.journal.before_write = [&](const Operation& operation) {
    committing = committing || operation.state == State::committing;
    stranger = committing;
  };
  REQUIRE(world.reaches(State::committing));
  world.time.run(Millis(60'000));
  CHECK(world.operation().state == State::uncertain);
  CHECK(world.b.committed.empty());
  world.a.journal.before_write = nullptr;
  stranger = false;
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(world.b.committed.size() == 1);
}

TEST_CASE("a destination that is not sure yet is asked again to start what died there") {
  World world;
  world.none_may_run_for = Millis(60'000);
  int refused = 0;
  world.a.peer->on_revive = [&, revive = world.a.peer->on_revive](std::string id) {
    ++refused;
    if (refused > 4) return revive(std::move(id));
    return [](Error why) -> asio::awaitable<Result<void>> {
      co_return fail(std::move(why));
    }(refused == 1 ? kBusy : Error{Code::refused, "it is not proven off at a"});
  };
  world.movesTake(Millis(1'000));
  world.begin();
  SECTION("while it is watched") {
    REQUIRE(world.reaches(State::verifying));
    world.b.libvirt.crash(kVm);
  }
  SECTION("before that") {
    REQUIRE(world.reaches(State::migrating));
    world.time.settle();
    world.a.libvirt.finishMove(kVm);
    world.b.libvirt.crash(kVm);
  }
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(refused == 5);
  world.checkRunsAtBOnly();
}

TEST_CASE("the order to come back is repeated until it is answered, and begins one move") {
  World world;
  world.movesTake(Millis(2'000));
  world.b.wellbeing.cpu_delay_cores = 3.0;
  // Its pre-flight takes longer than anybody would wait for a sign of it.
  world.b.libvirt.hold(Call::placed);
  int lost = 0;
  world.a.peer->on_send_back =
      [&, send = world.a.peer->on_send_back](std::string id) -> asio::awaitable<Result<Operation>> {
    auto begun = co_await send(std::move(id));
    if (++lost <= 2) co_return fail(Code::timeout, "no answer in time");
    co_return begun;
  };
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::returning));
  SECTION("in one life of the daemon") {
    world.time.run(Millis(60'000));
  }
  SECTION("and in the next") {
    world.time.run(Millis(2'000));
    world.a.kill();
    world.a.start();
    world.time.run(Millis(60'000));
  }
  CHECK(world.operation().state == State::returning);
  world.b.libvirt.release(Call::placed);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::returned);
  CHECK(world.b.operations->all().size() == 1);
  CHECK(world.b.committed.empty());
  world.checkRunsAtAOnly();
}

struct CopyingWorld : World {
  CopyingWorld() {
    auto& vm = a.libvirt.vm(kVm);
    vm.placed.disks = {{"dir", 1 << 20}};
    vm.definition.local_disks = {{"vda", "/pool/web.qcow2", 1 << 20}};
    a.libvirt.files() = {"/pool/web.qcow2"};
    movesTake(Millis(1'000));
  }
  std::string moves() {
    auto wish = order(kVm, "b");
    wish.copy_storage = true;
    return begin(wish).id;
  }
};

TEST_CASE("a disk whose renaming was not answered for is renamed after all, and deleted") {
  CopyingWorld world;
  world.a.libvirt.failNext(Call::set_aside, kLate, 3);
  world.moves();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(world.operation().advice.empty());
  CHECK(world.a.libvirt.files().empty());
}

TEST_CASE("a disk that may yet be renamed stays in the record, and is not forgotten") {
  CopyingWorld world;
  world.a.libvirt.failNext(Call::set_aside, kLate, 1'000);
  const auto id = world.moves();
  REQUIRE(world.ends());
  const auto aside = "/pool/web.qcow2.moved-" + id;
  CHECK(world.a.journal.kept.at(id).record.set_aside == std::vector{aside});
  CHECK(advises(world.operation(), aside));
  CHECK(world.a.libvirt.count("deleteVolume " + aside) >= 1);
}

TEST_CASE("a disk that cannot be renamed is none of what is deleted later") {
  CopyingWorld world;
  world.a.libvirt.failNext(Call::set_aside, {Code::refused, "read-only file system"}, 1'000);
  world.moves();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(advises(world.operation(), "read-only file system"));
  CHECK(world.a.libvirt.count("setAside") == 1);
  CHECK(world.a.libvirt.count("deleteVolume") == 0);
}

TEST_CASE("what libvirt here never does is left to a person within minutes") {
  World world;
  world.none_may_run_for = Millis(3'600'000);
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.endJobs(kVm);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "the other side is gone"));
  world.a.libvirt.vm(kVm).presence.state = Where::paused;
  world.a.libvirt.vm(kVm).presence.reason = "paused: migration";
  std::string advice;
  SECTION("to set its copy going") {
    world.b.libvirt.remove(kVm);
    world.a.libvirt.failNext(Call::resume, {Code::unreachable, "not now"}, 1'000'000);
    advice = "virsh resume";
  }
  SECTION("to end its copy") {
    world.b.libvirt.add(kVm, "web");
    world.a.libvirt.failNext(Call::destroy, {Code::unreachable, "not now"}, 1'000'000);
    advice = "virsh destroy";
  }
  REQUIRE(world.ends(Millis(180'000)));
  CHECK(world.operation().state == State::needs_person);
  CHECK_THAT(world.operation().message, Catch::Contains("not now"));
  CHECK(advises(world.operation(), advice));
}

TEST_CASE("what stayed keeps no secrets in the store") {
  World world;
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  REQUIRE_FALSE(world.a.journal.kept.at(id).record.definition.empty());
  SECTION("after a failure") {
    world.a.libvirt.failMove(kVm, {Code::failed, "no route to host"});
  }
  SECTION("after an abort") {
    REQUIRE(world.a.abort(id));
  }
  REQUIRE(world.ends());
  CHECK(world.a.journal.kept.at(id).record.definition.empty());
  world.checkRunsAtAOnly();
}

TEST_CASE("metadata that is written after pre-flight takes the permission away too") {
  World world;
  world.a.libvirt.hold(Call::set_autostart);
  world.begin(order(kVm, "b", OperationOrigin::plan));
  REQUIRE(world.reaches(State::preparing));
  PolicyMetadata metadata;
  metadata.set.mode = Mode::observe;
  world.a.libvirt.vm(kVm).placed.metadata = metadata;
  world.a.libvirt.release(Call::set_autostart);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::refused);
  CHECK(world.a.libvirt.count("migrate") == 0);
}

TEST_CASE("the destination is told which storage it must reach as the same") {
  World world;
  auto& vm = world.a.libvirt.vm(kVm);
  vm.placed.disks = {{"nfs", 1 << 20}, {"nfs", 1 << 20}, {"block:/dev/vg/web", 1 << 20}};
  std::vector<std::string> asked;
  world.a.peer->on_reserve = [&asked, ask = world.a.peer->on_reserve](ReserveOrder order) {
    asked = order.storage;
    return ask(std::move(order));
  };
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  CHECK(asked == std::vector<std::string>{"nfs", "block:/dev/vg/web"});
}

}  // namespace
}  // namespace virtseer::sim

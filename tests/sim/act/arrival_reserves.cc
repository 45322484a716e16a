#include <catch2/catch.hpp>

#include "sim/act/arrival_world.h"

namespace virtseer::sim {
namespace {

using State = Presence::State;

bool held(const ReserveAnswer& answer, std::string_view check) {
  const auto found = std::ranges::find(answer.checks, check, &Check::name);
  REQUIRE(found != answer.checks.end());
  return found->held;
}

}  // namespace

TEST_CASE("the claim is on the disk before the answer is given") {
  ArrivalWorld world;
  std::optional<Operation> written;
  world.journal.before_write = [&](const Operation& operation) { written = operation; };

  const auto answer = world.reserve(ArrivalWorld::order());

  REQUIRE(answer);
  REQUIRE(answer->reservation);
  CHECK(answer->reservation->operation == "m-1");
  CHECK(std::ranges::all_of(answer->checks, &Check::held));
  REQUIRE(written);
  CHECK(written->kind == OperationKind::arrival);
  CHECK(written->state == OperationState::reserved);
  CHECK(written->from == ArrivalWorld::kSource);
  CHECK(world.arrivals->expects(ArrivalWorld::kVm));
  CHECK(world.arrivals->flights().size() == 1);
  REQUIRE(world.told("arrival.expected") == 1);
  const auto& event = world.event("arrival.expected");
  CHECK(event.entity == ArrivalWorld::kVm);
  CHECK(event.fields.at("operation") == "m-1");
  CHECK(event.fields.at("from") == "a");
}

TEST_CASE("while nothing can be written down nothing is promised") {
  ArrivalWorld world;
  world.journal.failure = Error{Code::unreachable, "the store does not serve"};

  const auto answer = world.reserve(ArrivalWorld::order());

  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::unreachable);
  CHECK(world.arrivals->reservations().empty());
  CHECK_FALSE(world.arrivals->expects(ArrivalWorld::kVm));

  world.journal.failure.reset();
  CHECK(world.reserve(ArrivalWorld::order()));
}

TEST_CASE("a dry run only looks") {
  ArrivalWorld world;
  auto look = ArrivalWorld::order();
  look.dry_run = true;

  const auto answer = world.reserve(look);

  REQUIRE(answer);
  CHECK(held(*answer, "room"));
  CHECK_FALSE(answer->reservation);
  CHECK(world.journal.history.empty());
  CHECK(world.arrivals->reservations().empty());
  CHECK(world.arrivals->all().empty());

  world.room.maintenance = true;
  look.memory_bytes = 100ull << 30;
  const auto refused = world.reserve(look);
  REQUIRE(refused);
  CHECK_FALSE(held(*refused, "maintenance"));
  CHECK_FALSE(held(*refused, "room"));
}

TEST_CASE("a condition that does not hold holds nothing") {
  ArrivalWorld world;
  world.here.setChecks({{"cpu", false, "it lacks avx512f"}});

  const auto answer = world.reserve(ArrivalWorld::order());

  REQUIRE(answer);
  CHECK_FALSE(answer->reservation);
  CHECK_FALSE(held(*answer, "cpu"));
  CHECK(world.journal.history.empty());
  CHECK(world.arrivals->reservations().empty());
}

TEST_CASE("a disk that is not copied and is on another storage here holds nothing") {
  ArrivalWorld world;
  HostState host;
  host.storage = {{.id = "nfs4:one:/vms", .shared = true}};
  world.here.setHost(host);
  auto order = ArrivalWorld::order();

  order.storage = {"nfs4:two:/vms"};
  const auto other = world.reserve(order);
  REQUIRE(other);
  CHECK_FALSE(held(*other, "storage"));
  CHECK_FALSE(other->reservation);

  order.storage = {"nfs4:one:/vms"};
  world.here.failNext(platform::FakeActions::Call::host, {Code::unreachable, "libvirt is away"});
  const auto unknown = world.reserve(order);
  REQUIRE(unknown);
  CHECK_FALSE(held(*unknown, "storage"));
  CHECK_FALSE(unknown->reservation);

  const auto same = world.reserve(order);
  REQUIRE(same);
  CHECK(held(*same, "storage"));
  CHECK(same->reservation);
}

TEST_CASE("of very many conditions the one that does not hold is told") {
  ArrivalWorld world;
  std::vector<Check> many(1'000, Check{"disk", true, "it is reachable"});
  many.back() = {"disk vdz", false, "it is not"};
  world.here.setChecks(many);

  const auto answer = world.reserve(ArrivalWorld::order());

  REQUIRE(answer);
  CHECK(answer->checks.size() <= 64);
  CHECK_FALSE(held(*answer, "disk vdz"));
  CHECK_FALSE(answer->reservation);
}

TEST_CASE("without its own libvirt, or the source among its peers, a host takes nothing") {
  ArrivalWorld world;
  world.here.disconnect("libvirtd is away");
  const auto silent = world.reserve(ArrivalWorld::order());
  REQUIRE(silent);
  CHECK_FALSE(held(*silent, "libvirt"));
  CHECK_FALSE(silent->reservation);
  world.here.reconnect();

  auto stranger = ArrivalWorld::order();
  stranger.from = ArrivalWorld::uuid(99);
  const auto unknown = world.reserve(stranger);
  REQUIRE(unknown);
  CHECK_FALSE(held(*unknown, "source"));
  CHECK_FALSE(unknown->reservation);
}

TEST_CASE("a hostile order is refused before anybody is asked") {
  ArrivalWorld world;
  auto other = ArrivalWorld::order();
  other.live_xml = platform::FakeActions::xml(ArrivalWorld::uuid(2), "web");

  const auto answer = world.reserve(other);

  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::invalid);
  CHECK(world.here.calls().empty());
}

TEST_CASE("XML that libvirt's side cannot read is the source's fault, not libvirt's") {
  ArrivalWorld world;
  world.here.failNext(platform::FakeActions::Call::admits, {Code::invalid, "no domain XML"});
  const auto answer = world.reserve(ArrivalWorld::order());
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::invalid);
  CHECK(world.arrivals->reservations().empty());
}

TEST_CASE("the same operation asking again gets the same") {
  ArrivalWorld world;
  const auto first = world.reserve(ArrivalWorld::order()).value();
  world.time.run(Millis(10'000));

  const auto second = world.reserve(ArrivalWorld::order());

  REQUIRE(second);
  REQUIRE(second->reservation);
  CHECK(second->reservation->id == first.reservation->id);
  CHECK(second->reservation->expires > first.reservation->expires);
  CHECK(world.arrivals->all().size() == 1);

  auto more = ArrivalWorld::order();
  more.memory_bytes *= 2;
  const auto third = world.reserve(more);
  REQUIRE_FALSE(third);
  CHECK(third.error().code == Code::invalid);
}

TEST_CASE("cores that are not free refuse a plan's order, and are shared where a person wants it") {
  ArrivalWorld world;
  world.room.used_cpus = world.room.cpus;
  auto order = ArrivalWorld::order("m-1");
  order.origin = OperationOrigin::plan;
  const auto refused = world.reserve(order);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::full);
  order.dry_run = true;
  CHECK_FALSE(held(*world.reserve(order), "room"));

  const auto given = world.reserve(ArrivalWorld::order("m-2"));
  REQUIRE(given);
  CHECK(given->reservation);
  CHECK(held(*given, "cores"));
}

TEST_CASE("two that race for the room of one: one yes") {
  ArrivalWorld world;
  world.room.memory_bytes = 1ull << 30;
  world.here.hold(platform::FakeActions::Call::admits);
  std::optional<Result<ReserveAnswer>> one, two;
  world.begin(world.arrivals->reserve(ArrivalWorld::order("m-1")), one);
  world.begin(world.arrivals->reserve(ArrivalWorld::order("m-2", ArrivalWorld::uuid(2))), two);
  REQUIRE_FALSE(one);
  REQUIRE_FALSE(two);

  world.here.release(platform::FakeActions::Call::admits);
  world.time.settle();

  REQUIRE(one);
  REQUIRE(two);
  CHECK(one->has_value() != two->has_value());
  const auto& loser = one->has_value() ? *two : *one;
  CHECK(loser.error().code == Code::full);
  CHECK(world.arrivals->reservations().size() == 1);
}

TEST_CASE("two operations for one VM: the second is refused, also while the first is looked at") {
  ArrivalWorld world;
  world.here.hold(platform::FakeActions::Call::admits);
  std::optional<Result<ReserveAnswer>> one, two;
  world.begin(world.arrivals->reserve(ArrivalWorld::order("m-1")), one);
  world.begin(world.arrivals->reserve(ArrivalWorld::order("m-2")), two);
  world.here.release(platform::FakeActions::Call::admits);
  world.time.settle();
  REQUIRE(one);
  REQUIRE(two);
  CHECK(one->has_value() != two->has_value());
  CHECK((one->has_value() ? *two : *one).error().code == Code::refused);

  const auto third = world.reserve(ArrivalWorld::order("m-3"));
  REQUIRE_FALSE(third);
  CHECK(third.error().code == Code::refused);
}

TEST_CASE("a VM that is here already is not taken") {
  ArrivalWorld world;
  world.here.add(ArrivalWorld::kVm, "web");

  const auto answer = world.reserve(ArrivalWorld::order());

  REQUIRE(answer);
  CHECK_FALSE(held(*answer, "active"));
  CHECK_FALSE(answer->reservation);
}

TEST_CASE("a VM that this host sent away may come back to the definition that it left") {
  ArrivalWorld world;
  world.here.add(ArrivalWorld::kVm, "web").presence = {
      .state = State::off, .defined = true, .reason = "migrated"};
  auto back = ArrivalWorld::order("m-2");

  CHECK_FALSE(world.reserve(back)->reservation);

  back.return_of = "m-1";
  CHECK_FALSE(world.reserve(back)->reservation);  // nobody sent it

  world.sent = Operation{};
  world.sent->id = "m-1";
  world.sent->vm = ArrivalWorld::kVm;
  world.sent->to = ArrivalWorld::uuid(77);
  CHECK_FALSE(world.reserve(back)->reservation);  // it was sent elsewhere

  world.sent->to = ArrivalWorld::kSource;
  const auto answer = world.reserve(back);
  REQUIRE(answer);
  CHECK(held(*answer, "identity"));
  CHECK(answer->reservation);

  // Off at this host, so it never ran here: nothing to destroy, nothing to undefine.
  world.time.run(Millis(70'000));
  CHECK(world.operation("m-2").state == OperationState::failed);
  CHECK(world.here.count("undefine") == 0);
}

TEST_CASE("a reservation that is not renewed ends the claim of a VM that never came") {
  ArrivalWorld world;
  world.reserve(ArrivalWorld::order()).value();
  world.time.run(Millis(50'000));
  REQUIRE(world.arrivals->renew("m-1"));
  world.time.run(Millis(50'000));
  CHECK(world.operation().state == OperationState::reserved);

  world.time.run(Millis(13'000));

  CHECK(world.operation().state == OperationState::failed);
  CHECK(world.operation().message.find("never came") != std::string::npos);
  CHECK(world.operation().ended);
  CHECK_FALSE(world.arrivals->expects(ArrivalWorld::kVm));
  CHECK(world.journal.kept.at("m-1").state == OperationState::failed);
  CHECK(world.arrivals->renew("m-1").error().code == Code::not_found);
  CHECK(world.reserve(ArrivalWorld::order()).error().code == Code::refused);
  CHECK(world.reserve(ArrivalWorld::order("m-2")));
}

TEST_CASE("an expired reservation of a VM that runs here loses neither claim nor room") {
  ArrivalWorld world;
  world.reserve(ArrivalWorld::order()).value();
  world.here.disconnect("libvirtd is away");
  world.time.run(Millis(70'000));
  REQUIRE(world.operation().state == OperationState::reserved);
  world.here.reconnect();
  world.comes();
  world.switchesOver();
  world.time.run(Millis(1'000));

  CHECK(world.operation().state == OperationState::migrating);
  REQUIRE(world.arrivals->reservations().size() == 1);
  CHECK(world.arrivals->renew("m-1"));
  world.time.run(Millis(200'000));
  CHECK(world.arrivals->reservations().size() == 1);

  world.room.present = {ArrivalWorld::kVm};
  world.time.run(Millis(1'000));
  CHECK(world.arrivals->reservations().empty());
  CHECK(world.arrivals->renew("m-1"));
  CHECK(world.arrivals->expects(ArrivalWorld::kVm));
}

TEST_CASE("room that is given back is free at once, and twice is no error") {
  ArrivalWorld world;
  world.room.memory_bytes = 1ull << 30;
  world.reserve(ArrivalWorld::order()).value();

  CHECK(world.release());
  CHECK(world.release());
  CHECK(world.release("m-unknown"));

  CHECK(world.operation().state == OperationState::failed);
  CHECK(world.reserve(ArrivalWorld::order("m-2", ArrivalWorld::uuid(2))));
}

TEST_CASE("giving room back does not end the claim of a VM that is here") {
  ArrivalWorld world;
  world.arrives();

  CHECK(world.release());

  CHECK(world.arrivals->expects(ArrivalWorld::kVm));
  world.here.disconnect("libvirtd is away");
  CHECK_FALSE(world.release());
  CHECK(world.arrivals->expects(ArrivalWorld::kVm));
}

}  // namespace virtseer::sim

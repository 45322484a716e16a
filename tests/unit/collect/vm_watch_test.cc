#include "collect/vm_watch.h"

#include "unit/collect/bench.h"

using namespace virtseer;
using namespace virtseer::collect;
using platform::Notice;

namespace {

Notice lifecycle(std::string detail, std::string reason = "") {
  return {Notice::Kind::vm_lifecycle, kVm, "web", std::move(detail), std::move(reason)};
}

Vm in(VmState state) {
  auto vm = runningVm(kVm, "web");
  vm.state = state;
  return vm;
}

std::vector<std::string> kinds(const std::vector<Event>& events) {
  std::vector<std::string> out;
  for (const auto& event : events) out.push_back(event.kind);
  return out;
}

}  // namespace

TEST_CASE("the first list reports nothing") {
  VmWatch watch("fake:///");
  CHECK(watch.list({in(VmState::running)}, kStart).empty());
}

TEST_CASE("what a notice told is not told again by the list that follows") {
  VmWatch watch("fake:///");
  watch.list({in(VmState::shutoff)}, kStart);
  const auto started = watch.notice(lifecycle("started", "booted"), kStart);
  REQUIRE(started);
  CHECK(started->kind == "vm.started");
  CHECK(started->entity == kVm);
  CHECK(started->message == "web started (booted)");
  watch.listBegins();
  CHECK(watch.list({in(VmState::running)}, kStart).empty());
}

TEST_CASE("a list that was asked for before a notice does not undo it") {
  VmWatch watch("fake:///");
  watch.list({in(VmState::shutoff)}, kStart);
  watch.listBegins();
  REQUIRE(watch.notice(lifecycle("started"), kStart));
  CHECK(watch.list({in(VmState::shutoff)}, kStart).empty());
  watch.listBegins();
  CHECK(watch.list({in(VmState::running)}, kStart).empty());
}

TEST_CASE("changes that no notice told are found when listing") {
  VmWatch watch("fake:///");
  watch.list({in(VmState::running)}, kStart);
  CHECK(kinds(watch.list({in(VmState::paused)}, kStart)) == std::vector<std::string>{"vm.paused"});
  CHECK(kinds(watch.list({in(VmState::running)}, kStart)) ==
        std::vector<std::string>{"vm.resumed"});
  CHECK(kinds(watch.list({in(VmState::crashed)}, kStart)) ==
        std::vector<std::string>{"vm.crashed"});
  CHECK(kinds(watch.list({in(VmState::running)}, kStart)) ==
        std::vector<std::string>{"vm.started"});
  CHECK(kinds(watch.list({}, kStart)) == std::vector<std::string>{"vm.stopped"});
  CHECK(kinds(watch.list({in(VmState::shutoff)}, kStart)) ==
        std::vector<std::string>{"vm.defined"});
  CHECK(kinds(watch.list({}, kStart)) == std::vector<std::string>{"vm.undefined"});
}

TEST_CASE("a migration is one event on each side") {
  VmWatch source("fake:///"), target("fake:///");
  source.list({in(VmState::running)}, kStart);
  target.list({}, kStart);

  const auto in_event = target.notice(lifecycle("started", "migrated"), kStart);
  REQUIRE(in_event);
  CHECK(in_event->kind == "vm.migrated");
  CHECK(in_event->fields.at("direction") == "in");
  CHECK_FALSE(target.notice(lifecycle("resumed", "migrated"), kStart));

  CHECK_FALSE(source.notice(lifecycle("suspended", "migrated"), kStart));
  const auto out_event = source.notice(lifecycle("stopped", "migrated"), kStart);
  REQUIRE(out_event);
  CHECK(out_event->fields.at("direction") == "out");
  CHECK(source.notice(lifecycle("undefined"), kStart)->kind == "vm.undefined");
  source.listBegins();
  CHECK(source.list({}, kStart).empty());
}

TEST_CASE("a copy that is ended before it ran here has not crashed; one that ran here has") {
  VmWatch watch("fake:///");
  watch.list({}, kStart);
  watch.notice(lifecycle("started", "migrated"), kStart);
  const bool ran = GENERATE(false, true);
  SECTION("as notices tell") {
    if (ran) watch.notice(lifecycle("resumed", "migrated"), kStart);
  }
  SECTION("as a list tells") {
    watch.listBegins();
    watch.list({in(ran ? VmState::running : VmState::paused)}, kStart);
  }
  const auto event = watch.notice(lifecycle("stopped", "failed"), kStart);
  REQUIRE(event);
  CHECK(event->kind == (ran ? "vm.crashed" : "vm.stopped"));
  CHECK(event->severity == (ran ? Severity::error : Severity::info));
  watch.notice(lifecycle("started", "booted"), kStart);
  CHECK(watch.notice(lifecycle("stopped", "failed"), kStart)->kind == "vm.crashed");
}

TEST_CASE("a VM that stopped because it crashed is reported as an error") {
  VmWatch watch("fake:///");
  watch.list({in(VmState::running)}, kStart);
  const auto event = watch.notice(lifecycle("stopped", "crashed"), kStart);
  REQUIRE(event);
  CHECK(event->kind == "vm.crashed");
  CHECK(event->severity == Severity::error);
}

TEST_CASE("a connection is lost and found once") {
  VmWatch watch("fake:///");
  CHECK(watch.notice({Notice::Kind::connected, {}, "", "", ""}, kStart)->kind ==
        "libvirt.connected");
  CHECK_FALSE(watch.notice({Notice::Kind::connected, {}, "", "", ""}, kStart));
  const auto lost = watch.notice({Notice::Kind::disconnected, {}, "", "end of file", ""}, kStart);
  REQUIRE(lost);
  CHECK(lost->kind == "libvirt.lost");
  CHECK(lost->message == "no connection to fake:///: end of file");
  CHECK_FALSE(watch.notice({Notice::Kind::disconnected, {}, "", "end of file", ""}, kStart));
}

TEST_CASE("a hostile name reaches no message as control characters") {
  VmWatch watch("fake:///");
  auto notice = lifecycle("started");
  notice.vm_name = "a\x1b[2Jb\n";
  const auto event = watch.notice(notice, kStart);
  REQUIRE(event);
  CHECK(event->message.find('\x1b') == std::string::npos);
  CHECK(event->message.find('\n') == std::string::npos);
}

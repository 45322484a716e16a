#include "decide/enroll.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "decide/words.h"

using namespace virtseer;
using namespace virtseer::decide;

namespace {

const Uuid kVm = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000001");

/// Runs, has a definition, a balloon that does not report, and no channel.
EnrollFacts bare() {
  EnrollFacts facts;
  facts.vm = kVm;
  facts.name = "web";
  facts.driver = "QEMU";
  facts.machine = "pc-q35-7.2";
  facts.presence = {.state = Presence::State::running, .defined = true, .reason = "booted"};
  facts.live = facts.config = EnrollSide{.balloon_period_s = 0};
  return facts;
}

const EnrollWish kWish{
    .remove = false, .way = EchoWay::channel, .address = {}, .balloon_period_s = 5};

const EnrollStep* step(const EnrollPlan& plan, EnrollStep::Kind kind) {
  for (const auto& each : plan.steps)
    if (each.kind == kind) return &each;
  return nullptr;
}

const Check* failing(const EnrollPlan& plan) {
  for (const auto& check : plan.checks)
    if (!check.held) return &check;
  return nullptr;
}

}  // namespace

TEST_CASE("a VM that runs gets its channel and its balloon's period now and for its next start") {
  const auto plan = enrollPlan(bare(), kWish);
  CHECK(plan.fits());
  CHECK(plan.refusal().empty());
  const auto* channel = step(plan, EnrollStep::Kind::channel);
  REQUIRE(channel);
  CHECK(channel->affects == Affects{true, true});
  CHECK_FALSE(channel->done);
  const auto* balloon = step(plan, EnrollStep::Kind::balloon);
  REQUIRE(balloon);
  CHECK(balloon->affects == Affects{true, true});
  CHECK(balloon->words.find("5 s") != std::string::npos);
}

TEST_CASE("what a VM has already is said and left alone") {
  auto facts = bare();
  facts.live = facts.config = EnrollSide{.channel = true, .balloon_period_s = 1};
  const auto plan = enrollPlan(facts, kWish);
  CHECK(plan.fits());
  REQUIRE(plan.steps.size() == 2);
  for (const auto& each : plan.steps) {
    CHECK(each.done);
    CHECK_FALSE(each.affects.any());
  }
}

TEST_CASE("a transient VM is changed as it runs, one that is off in its definition") {
  auto transient = bare();
  transient.config.reset();
  transient.presence.defined = false;
  auto plan = enrollPlan(transient, kWish);
  CHECK(plan.fits());
  CHECK(step(plan, EnrollStep::Kind::channel)->affects == Affects{.live = true, .config = false});
  REQUIRE(plan.notes.size() == 1);
  CHECK(plan.notes[0].find("transient") != std::string::npos);

  auto off = bare();
  off.live.reset();
  off.presence = {.state = Presence::State::off, .defined = true, .reason = "off"};
  plan = enrollPlan(off, kWish);
  CHECK(plan.fits());
  CHECK(step(plan, EnrollStep::Kind::channel)->affects == Affects{.live = false, .config = true});
}

TEST_CASE("only the definition that lacks the channel is changed") {
  auto facts = bare();
  facts.live->channel = true;
  CHECK(step(enrollPlan(facts, kWish), EnrollStep::Kind::channel)->affects ==
        Affects{.live = false, .config = true});
}

TEST_CASE("what speaks against enrolling is named") {
  auto facts = bare();
  SECTION("a job") {
    facts.presence.job = GENERATE(Presence::Job::migration_out, Presence::Job::other);
    REQUIRE(failing(enrollPlan(facts, kWish)));
    CHECK(failing(enrollPlan(facts, kWish))->name == "job");
  }
  SECTION("an operation between two jobs") {
    facts.operation = "a move of it to another host has not ended";
    CHECK(failing(enrollPlan(facts, kWish))->name == "operation");
    CHECK(enrollPlan(facts, kWish).refusal().find("another host") != std::string::npos);
  }
  SECTION("another channel of that name, with which it would not start") {
    facts.config->name_taken = true;
    CHECK(failing(enrollPlan(facts, kWish))->name == "name");
    auto remove = kWish;
    remove.remove = true;
    CHECK(enrollPlan(facts, remove).fits());
  }
  SECTION("a migration that has not ended") {
    facts.presence.state = Presence::State::incoming;
    CHECK(failing(enrollPlan(facts, kWish))->name == "state");
  }
  SECTION("its own metadata") {
    facts.metadata = PolicyMetadata{.set = {}, .fault = {}, .enroll = false};
    CHECK(failing(enrollPlan(facts, kWish))->name == "policy");
    CHECK(enrollPlan(facts, kWish).refusal().find("forbids") != std::string::npos);
    // Taking it back is never forbidden.
    auto remove = kWish;
    remove.remove = true;
    CHECK(enrollPlan(facts, remove).fits());
  }
  SECTION("metadata that is not understood") {
    facts.metadata = PolicyMetadata{.set = {}, .fault = "there is no key \"\x1b\"", .enroll = {}};
    const auto plan = enrollPlan(facts, kWish);
    CHECK(failing(plan)->name == "policy");
    CHECK(plan.refusal().find('\x1b') == std::string::npos);
  }
  SECTION("a container") {
    facts.driver = "LXC";
    CHECK(failing(enrollPlan(facts, kWish))->name == "driver");
    auto tls = kWish;
    tls.way = EchoWay::tls;
    CHECK(enrollPlan(facts, tls).fits());
    tls.way = EchoWay::vsock;
    CHECK(failing(enrollPlan(facts, tls))->name == "driver");
    // Its token can be taken back all the same.
    auto remove = kWish;
    remove.remove = true;
    CHECK(enrollPlan(facts, remove).fits());
  }
  SECTION("a machine without hot-plug, while it runs") {
    facts.machine = GENERATE("isapc", "microvm");
    CHECK(failing(enrollPlan(facts, kWish))->name == "machine");
    facts.live.reset();
    facts.presence.state = Presence::State::off;
    CHECK(enrollPlan(facts, kWish).fits());
  }
}

TEST_CASE("a running VM without a free port is enrolled for its next start, if that is asked for") {
  auto facts = bare();
  facts.live->port_free = facts.config->port_free = false;
  REQUIRE(failing(enrollPlan(facts, kWish)));
  CHECK(failing(enrollPlan(facts, kWish))->name == "port");
  CHECK(enrollPlan(facts, kWish).refusal().find("virtseer enroll web --next-start") !=
        std::string::npos);

  auto next = kWish;
  next.next_start = true;
  const auto plan = enrollPlan(facts, next);
  CHECK(plan.fits());
  CHECK(step(plan, EnrollStep::Kind::channel)->affects == Affects{.live = false, .config = true});
  CHECK(step(plan, EnrollStep::Kind::balloon)->affects == Affects{.live = false, .config = true});
  CHECK(plan.notes.size() == 1);
  facts.config.reset();
  CHECK(failing(enrollPlan(facts, next))->name == "state");

  // A channel that is there already needs no port, nor does one that is taken away.
  facts = bare();
  facts.live->channel = true;
  facts.live->port_free = false;
  CHECK(enrollPlan(facts, kWish).fits());
  auto remove = kWish;
  remove.remove = true;
  CHECK(enrollPlan(facts, remove).fits());
}

TEST_CASE("a VM that was saved wakes up without the change, which is said") {
  auto facts = bare();
  facts.live.reset();
  facts.presence = {.state = Presence::State::off, .defined = true, .reason = "off: saved"};
  facts.saved = true;
  const auto plan = enrollPlan(facts, kWish);
  CHECK(plan.fits());
  REQUIRE(plan.notes.size() == 1);
  CHECK(plan.notes[0].find("saved") != std::string::npos);
}

TEST_CASE("another manager of the VM is named, and no reason to refuse") {
  auto facts = bare();
  facts.managed_by = "OpenStack Nova";
  const auto plan = enrollPlan(facts, kWish);
  CHECK(plan.fits());
  REQUIRE_FALSE(plan.notes.empty());
  CHECK(plan.notes[0].find("OpenStack Nova") != std::string::npos);
}

TEST_CASE("without a balloon there is no step for one, and its absence is said") {
  auto facts = bare();
  facts.live->balloon_period_s.reset();
  facts.config->balloon_period_s.reset();
  const auto plan = enrollPlan(facts, kWish);
  CHECK_FALSE(step(plan, EnrollStep::Kind::balloon));
  CHECK(plan.notes.size() == 1);
  auto silent = kWish;
  silent.balloon_period_s = 0;
  CHECK_FALSE(step(enrollPlan(bare(), silent), EnrollStep::Kind::balloon));
}

TEST_CASE("taking it back takes the channel from both definitions and leaves the balloon") {
  auto facts = bare();
  facts.live->channel = facts.config->channel = true;
  auto wish = kWish;
  wish.remove = true;
  const auto plan = enrollPlan(facts, wish);
  CHECK(plan.fits());
  CHECK(step(plan, EnrollStep::Kind::channel)->affects == Affects{true, true});
  CHECK_FALSE(step(plan, EnrollStep::Kind::balloon));
}

TEST_CASE("a command that takes it back is named only where it takes back just that") {
  auto tls = kWish;
  tls.way = EchoWay::tls;
  auto remove = kWish;
  remove.remove = true;
  const auto facts = [](bool live, bool config) {
    auto out = bare();
    out.live->channel = live;
    out.config->channel = config;
    return out;
  };
  for (const auto& wish : {kWish, tls}) {
    CHECK(undoCommand(facts(false, false), wish, false) == "virtseer enroll web --remove");
    // A channel that was there before would go as well, and so would a token.
    CHECK(undoCommand(facts(true, true), wish, false).empty());
    CHECK(undoCommand(facts(false, true), wish, false).empty());
    CHECK(undoCommand(facts(true, false), wish, false).empty());
    CHECK(undoCommand(facts(false, false), wish, true).empty());
  }
  CHECK(undoCommand(facts(true, true), remove, false) == "virtseer enroll web");
  CHECK(undoCommand(facts(false, true), remove, false) == "virtseer enroll web --next-start");
  CHECK(undoCommand(facts(true, false), remove, false).empty());
  CHECK(undoCommand(facts(false, false), remove, false).empty());
  CHECK(undoCommand(facts(true, true), remove, true).empty());
  CHECK(undoCommand(facts(false, false), remove, true).empty());
  auto off = facts(false, true);
  off.live.reset();
  CHECK(undoCommand(off, remove, false) == "virtseer enroll web");
}

TEST_CASE("over TLS and vsock no channel is added, and the guest is told where to go") {
  auto wish = kWish;
  wish.way = EchoWay::tls;
  wish.address = "192.0.2.1:8687";
  CHECK_FALSE(step(enrollPlan(bare(), wish), EnrollStep::Kind::channel));
  std::string words;
  for (const auto& line : guestWords(wish, "/var/lib/virtseer/agents/x.token"))
    words += line + "\n";
  CHECK(words.find("server = tls://192.0.2.1:8687") != std::string::npos);
  CHECK(words.find("/var/lib/virtseer/agents/x.token") != std::string::npos);

  wish.way = EchoWay::vsock;
  wish.address = "9999";
  const auto plan = enrollPlan(bare(), wish);
  REQUIRE_FALSE(plan.notes.empty());
  CHECK(plan.notes[0].find("vsock") != std::string::npos);
  words.clear();
  for (const auto& line : guestWords(wish, "")) words += line + "\n";
  CHECK(words.find("server = vsock://2:9999") != std::string::npos);
}

TEST_CASE("a host that takes no calls of agents says so to whom is to call") {
  auto wish = kWish;
  wish.way = EchoWay::tls;
  wish.address = "192.0.2.1:8687";
  const auto told = [](const EnrollWish& of) {
    return std::ranges::any_of(enrollPlan(bare(), of).notes, [](const std::string& note) {
      return note.find("echo.listen_tls") != std::string::npos;
    });
  };
  CHECK_FALSE(told(wish));
  wish.listens = false;
  CHECK(told(wish));
  wish.remove = true;
  CHECK_FALSE(told(wish));
}

TEST_CASE("a container is enrolled by TLS, anything else by its channel") {
  Vm vm;
  vm.uuid = kVm;
  vm.name = "web";
  vm.environment = "qemu:///system";
  CHECK(enrollCommand(vm) == "virtseer enroll web");
  vm.environment = "lxc:///";
  CHECK(enrollCommand(vm) == "virtseer enroll web --tls ADDRESS:PORT");
}

TEST_CASE("a name that a shell would take apart is not put into a command") {
  CHECK(commandName("web-1.a_b", kVm) == "web-1.a_b");
  for (const char* name : {"", "-rf", "a b", "$(reboot)", "a;b", "caf\xc3\xa9", "a\nb"})
    CHECK(commandName(name, kVm) == kVm.text());
}

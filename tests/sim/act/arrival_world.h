#pragma once

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "act/arrivals.h"
#include "platform/fake_actions.h"
#include "support/fake_journal.h"
#include "support/fake_peer.h"
#include "support/fake_tokens.h"
#include "support/virtual_time.h"

/// A destination, its libvirt, its journal and its daemon, which may be killed and started again;
/// and a source that says what the test lets it say.
namespace virtseer::sim {

class ArrivalWorld {
 public:
  using State = Presence::State;
  using Job = Presence::Job;

  ArrivalWorld() {
    source = peers.add("a", kSource, "qemu+tls://a/system");
    source->on_vm = [this](Uuid) -> boost::asio::awaitable<Result<RemoteVm>> {
      co_return RemoteVm{there, {}, answers_as};
    };
    source->on_operation = [](std::string id) -> boost::asio::awaitable<Result<Operation>> {
      Operation half;
      half.id = std::move(id);
      half.vm = kVm;
      half.state = OperationState::settling;
      co_return half;
    };
    startDaemon();
  }
  ~ArrivalWorld() { killDaemon(); }
  ArrivalWorld(const ArrivalWorld&) = delete;
  ArrivalWorld& operator=(const ArrivalWorld&) = delete;

  static Uuid uuid(std::uint8_t last) {
    Uuid out;
    out.bytes[0] = 0xaa;
    out.bytes[15] = last;
    return out;
  }
  static inline const Uuid kVm = uuid(1), kSource = uuid(10), kHere = uuid(20);

  // The daemon.

  void startDaemon() {
    act::ArrivalContext context{
        .self =
            [] {
              Host self;
              self.uuid = kHere;
              self.name = "b";
              return self;
            },
        .room = [this] { return room; },
        .adopt = [this](const Uuid&, std::vector<PastMove> moves) { adopted = std::move(moves); },
        .tokens = &tokens,
        .changing = [this](const Uuid&) { return changing; },
        .sent = [this](const std::string& id) -> Result<Operation> {
          if (sent && sent->id == id) return *sent;
          return fail(Code::not_found, "no such operation");
        },
        .report = [this](Event event) { events.push_back(std::move(event)); },
        .pause = [this](Millis span) { return time.pause(span); },
    };
    arrivals = std::make_unique<act::Arrivals>(time.loop().get_executor(), clock, here, peers,
                                               journal, std::move(context));
    arrivals->recover();
    time.settle();
  }
  void killDaemon() {
    if (!arrivals) return;
    // On the loop, as the daemon does.
    boost::asio::post(time.loop(), [this] { arrivals->cancel(); });
    call(arrivals->join());
    arrivals.reset();
  }
  void restartDaemon() {
    killDaemon();
    startDaemon();
  }

  // What the source asks for.

  static ReserveOrder order(std::string operation = "m-1", Uuid vm = kVm) {
    ReserveOrder out;
    out.operation = std::move(operation);
    out.vm = vm;
    out.vm_name = "web";
    out.from = kSource;
    out.from_name = "a";
    out.cpus = 1;
    out.memory_bytes = 1ull << 30;
    out.live_xml = platform::FakeActions::xml(vm, "web");
    return out;
  }
  Result<ReserveAnswer> reserve(ReserveOrder order) {
    return call(arrivals->reserve(std::move(order)));
  }
  Result<void> release(std::string id = "m-1") { return call(arrivals->release(std::move(id))); }
  Result<void> commit(CommitOrder order = {}) {
    return call(arrivals->commit("m-1", std::move(order)));
  }
  Result<void> takeToken(std::string token) {
    return call(arrivals->takeToken("m-1", std::move(token)));
  }
  Result<void> revive() { return call(arrivals->revive("m-1")); }

  /// Runs until it returns, without any time passing.
  template <class T>
  T call(boost::asio::awaitable<T> task) {
    std::optional<T> out;
    begin(std::move(task), out);
    time.settle();
    return std::move(out.value());
  }
  void call(boost::asio::awaitable<void> task) {
    boost::asio::co_spawn(time.loop(), std::move(task), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
    time.settle();
  }
  /// Runs until it returns or waits; `out` is set then.
  template <class T>
  void begin(boost::asio::awaitable<T> task, std::optional<T>& out) {
    boost::asio::co_spawn(time.loop(), std::move(task), [&out](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      out = std::move(value);
    });
    time.settle();
  }

  // The world.

  /// The move has begun: its copy is made here.
  void comes() {
    here.add(kVm, "web").presence = {
        .state = State::incoming, .job = Job::migration_in, .reason = "migration"};
    here.vm(kVm).definition.inactive.clear();
    there = {.state = State::running, .job = Job::migration_out, .defined = true, .reason = ""};
    lifecycle();
  }
  /// It runs here; the source is paused and libvirt there has not finished.
  void switchesOver() {
    here.vm(kVm).presence = {.state = State::running, .defined = true, .reason = "migrated"};
    here.vm(kVm).definition.inactive = platform::FakeActions::xml(kVm, "web");
    there.state = State::paused;
    lifecycle();
  }
  void sourceIs(State state, Job job = Job::none, bool defined = true) {
    there = {.state = state, .job = job, .defined = defined, .reason = ""};
  }
  /// Neither its daemon nor its libvirt answers.
  void sourceFallsSilent() { source->silent = true, source->port_answers = false; }
  /// What is sent there is lost, as over a cut link: not even a refusal comes back.
  void linkIsCut() {
    source->lost = [this](Millis span) { return time.pause(span); };
  }
  void sourceIsBack() {
    source->silent = false, source->port_answers = true;
    source->lost = nullptr;
  }
  /// What libvirt tells of a change.
  void lifecycle() {
    arrivals->nudge(kVm);
    time.settle();
  }
  /// Reserved, come, switched over.
  void arrives() {
    reserve(order()).value();
    comes();
    switchesOver();
  }
  /// Arrived from a host that fell silent, and suspended for it.
  void isSuspended() {
    sourceFallsSilent();
    arrives();
    time.run(act::kUnheard);
  }

  Operation operation(const std::string& id = "m-1") const { return arrivals->find(id).value(); }
  bool runs() const { return here.runs(kVm); }
  State stateHere() const {
    const auto* vm = here.find(kVm);
    return vm ? vm->presence.state : State::absent;
  }
  std::size_t told(std::string_view kind) const {
    return static_cast<std::size_t>(std::ranges::count(events, kind, &Event::kind));
  }
  const Event& event(std::string_view kind) const {
    return *std::ranges::find(events, kind, &Event::kind);
  }

  ManualClock clock{Timestamp(std::chrono::hours(500'000))};
  test::VirtualTime time{clock};
  platform::FakeActions here{time.loop().get_executor()};
  test::FakeJournal journal;
  test::FakePeers peers;
  std::shared_ptr<test::FakePeer> source;
  Uuid answers_as = kSource;  ///< the machine at the source's address
  Presence there{.state = State::running, .defined = true, .reason = ""};
  HostRoom room{.cpus = 4, .memory_bytes = 8ull << 30, .present = {}};
  std::optional<Operation> sent;
  std::vector<PastMove> adopted;
  test::FakeTokens tokens;
  bool changing = false;  ///< somebody enrolls its VMs
  std::vector<Event> events;
  std::unique_ptr<act::Arrivals> arrivals;
};

}  // namespace virtseer::sim

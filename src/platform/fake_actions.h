#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "platform/actions.h"
#include "platform/fake_gates.h"

namespace virtseer::platform {

/// A VM of a fake host. A test may change any of it at any time, silently.
struct FakeVm {
  std::string name;
  Presence presence{.state = Presence::State::running, .defined = true, .reason = "booted"};
  VmDefinition definition;                    ///< `inactive` is kept true to `presence.defined`
  PlacedVm placed;                            ///< what placed() tells while it is active
  std::optional<MigrationProgress> progress;  ///< what progress() tells while a job runs
  EnrollSide live, config;                    ///< while it is active, and while it is defined
  std::string driver = "QEMU";                ///< and machine and metadata are those of `placed`
  std::optional<Error> no_room;               ///< why a device cannot be plugged in while it runs
};

/// What can be done to the VMs of a host in memory, for tests and simulations. Nothing in it waits
/// for real time. Two of them that are linked can move a VM from one to the other:
///
///     source.link("qemu+tls://b/system", destination);
///     source.add(vm, "web");
///     source.holdMoves(true);
///     ... the code under test calls migrate(); both sides now tell of an unfinished move ...
///     source.finishMove(vm);  // or failMove(), switchOver(), endCall(), abandonMove()
///
/// Without holdMoves() a move is done at once.
class FakeActions final : public Actions {
 public:
  enum class Call : std::uint8_t {
    placed,
    host,
    presence,
    definition,
    admits,
    migrate,
    progress,
    abort_job,
    set_autostart,
    remove_managed_save,
    suspend,
    resume,
    start,
    destroy,
    define,
    undefine,
    set_aside,
    delete_volume,
    enroll_facts,
    set_echo_channel,
    set_balloon_period
  };
  /// A lifecycle change and libvirt's words for it.
  using Changed = std::function<void(const Uuid& vm, const FakeVm& state, std::string_view detail,
                                     std::string_view reason)>;

  explicit FakeActions(boost::asio::any_io_executor loop);
  ~FakeActions() override;

  // The world.

  /// Adds a VM that runs and is defined, or replaces it, with XML that names it; silent.
  FakeVm& add(Uuid vm, std::string name);
  /// The VM, which must exist.
  FakeVm& vm(const Uuid& vm) { return vms_.at(vm); }
  const FakeVm* find(const Uuid& vm) const;
  void remove(const Uuid& vm) { vms_.erase(vm); }
  /// True if its vCPUs run here now.
  bool runs(const Uuid& vm) const;
  /// Ends its emulator as a crash does: off and crashed if it is defined, absent if not; a move of
  /// it fails.
  void crash(const Uuid& vm);
  /// What is left of it after its host lost power: off for no known reason if it is defined, absent
  /// if not; silent. A move of it fails.
  void losePower(const Uuid& vm);
  void setHost(HostState host) { host_ = std::move(host); }
  /// What admits() answers beside "identity" and "active", which it finds out; one check that holds
  /// if never set.
  void setChecks(std::vector<Check> checks) { checks_ = std::move(checks); }
  /// The disks of VMs that come with a move which copies them: admits() refuses those that are
  /// among files(), and such a move makes them as it begins.
  void setCopies(std::vector<std::string> paths) { copies_ = std::move(paths); }
  /// The files that setAside() and deleteVolume() work on.
  std::set<std::string>& files() { return files_; }
  /// Every call fails with Code::unreachable, moves that are awaited return so; VMs stay.
  void disconnect(std::string why);
  void reconnect() { disconnected_.reset(); }
  /// Called for each change of a lifecycle, by a call or by a move.
  void onChange(Changed changed) { changed_ = std::move(changed); }
  /// Called when a VM was enrolled, or its balloon's period was set.
  void onEnrolled(std::function<void(const Uuid&, const FakeVm&)> enrolled) {
    enrolled_ = std::move(enrolled);
  }

  // Moves away from here.

  /// What a migration URI leads to; it must live as long as moves go there.
  void link(std::string uri, FakeActions& destination) { links_[std::move(uri)] = &destination; }
  /// Whether migrate() waits for the test from now on.
  void holdMoves(bool hold) { hold_moves_ = hold; }
  /// Whether abortJob() leaves a held move as it is.
  void ignoreAborts(bool ignore) { ignore_aborts_ = ignore; }
  bool moving(const Uuid& vm) const { return moves_.contains(vm); }
  /// The order of the move that is held.
  const MigrateOrder& order(const Uuid& vm) const { return moves_.at(vm)->order; }
  /// It runs there and is paused here; the call goes on.
  void switchOver(const Uuid& vm);
  /// The move succeeds (switching over if need be) and the call returns.
  void finishMove(const Uuid& vm, MigrateEnd end = {Millis(150), Millis(3000), 64 << 20});
  /// The move fails before switch-over: it runs here, is gone there, and the call returns.
  void failMove(const Uuid& vm, Error error);
  /// The call returns this; both sides stay as they are, their jobs too. Then set what you like:
  /// `source.vm(id).presence.state = ...` for the lost last word.
  void endCall(const Uuid& vm, Result<MigrateEnd> result);
  /// Jobs end on both sides without a change of state, whether or not a call is awaited.
  void endJobs(const Uuid& vm);

  // Faults and the record.

  void failNext(Call call, Error error, int times = 1) {
    gates_.failNext(call, std::move(error), times);
  }
  /// The next call of this kind takes effect, but its caller is told this error.
  void loseReply(Call call, Error error) { gates_.loseReply(call, std::move(error)); }
  void hold(Call call) { gates_.hold(call); }
  void release(Call call) { gates_.release(call); }
  std::size_t held(Call call) const { return gates_.held(call); }
  /// Every call that came, oldest first: "presence UUID", "migrate UUID URI", "setAutostart UUID
  /// yes", "start UUID", "start UUID xml", "setAside PATH PATH", ...
  const std::vector<std::string>& calls() const { return gates_.calls(); }
  std::size_t count(std::string_view prefix) const { return gates_.count(prefix); }

  // Actions.

  boost::asio::awaitable<Result<std::vector<PlacedVm>>> placed() override;
  boost::asio::awaitable<Result<HostState>> host() override;
  boost::asio::awaitable<Result<Presence>> presence(Uuid vm) override;
  boost::asio::awaitable<Result<VmDefinition>> definition(Uuid vm) override;
  boost::asio::awaitable<Result<Admission>> admits(std::string live_xml, bool copy_storage,
                                                   std::vector<DiskCopy> copied) override;
  boost::asio::awaitable<Result<MigrateEnd>> migrate(MigrateOrder order) override;
  boost::asio::awaitable<Result<MigrationProgress>> progress(Uuid vm) override;
  boost::asio::awaitable<Result<void>> abortJob(Uuid vm) override;
  boost::asio::awaitable<Result<void>> setAutostart(Uuid vm, bool on) override;
  boost::asio::awaitable<Result<void>> removeManagedSave(Uuid vm) override;
  boost::asio::awaitable<Result<void>> suspend(Uuid vm) override;
  boost::asio::awaitable<Result<void>> resume(Uuid vm) override;
  boost::asio::awaitable<Result<void>> start(Uuid vm, std::string xml) override;
  boost::asio::awaitable<Result<void>> destroy(Uuid vm) override;
  boost::asio::awaitable<Result<void>> define(std::string xml) override;
  boost::asio::awaitable<Result<void>> undefine(Uuid vm) override;
  boost::asio::awaitable<Result<void>> setAside(std::string path, std::string new_path) override;
  boost::asio::awaitable<Result<void>> deleteVolume(std::string path) override;
  boost::asio::awaitable<Result<EnrollFacts>> enrollFacts(Uuid vm) override;
  boost::asio::awaitable<Result<void>> setEchoChannel(Uuid vm, bool present,
                                                      Affects where) override;
  boost::asio::awaitable<Result<void>> setBalloonPeriod(Uuid vm, std::chrono::seconds period,
                                                        Affects where) override;

  /// The XML that add() gives a VM, and that define() and start() understand.
  static std::string xml(const Uuid& vm, std::string_view name);

 private:
  struct Move {
    explicit Move(boost::asio::any_io_executor loop)
        : ended(std::move(loop), boost::asio::steady_timer::time_point::max()) {}
    MigrateOrder order;
    FakeActions* destination = nullptr;
    bool switched = false;
    std::optional<Result<MigrateEnd>> result;
    boost::asio::steady_timer ended;
  };

  boost::asio::awaitable<Result<std::optional<Error>>> enter(Call call, std::string record);
  Result<FakeVm*> known(const Uuid& vm);
  void tell(const Uuid& vm, std::string_view detail, std::string_view reason);
  Result<std::shared_ptr<Move>> beginMove(const MigrateOrder& order);
  void end(const Uuid& vm, Result<MigrateEnd> result);
  Result<void> suspendNow(const Uuid& vm);
  Result<void> resumeNow(const Uuid& vm);
  Result<void> startNow(const Uuid& vm, const std::string& xml);
  Result<void> destroyNow(const Uuid& vm);
  Result<void> defineNow(const std::string& xml);
  Result<void> undefineNow(const Uuid& vm);
  Result<FakeVm*> changeable(const Uuid& vm, Affects where);

  boost::asio::any_io_executor loop_;
  FakeGates<Call> gates_;
  std::map<Uuid, FakeVm> vms_;
  HostState host_;
  std::vector<Check> checks_{{"cpu", true, "the fake host takes every processor"}};
  std::vector<std::string> copies_;
  std::set<std::string> files_;
  std::optional<std::string> disconnected_;
  Changed changed_;
  std::function<void(const Uuid&, const FakeVm&)> enrolled_;
  std::map<std::string, FakeActions*> links_;
  bool hold_moves_ = false;
  bool ignore_aborts_ = false;
  std::map<Uuid, std::shared_ptr<Move>> moves_;
};

}  // namespace virtseer::platform

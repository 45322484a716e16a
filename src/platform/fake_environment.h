#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/environment.h"
#include "platform/fake_actions.h"
#include "platform/fake_gates.h"
#include "platform/inbox.h"

namespace virtseer::platform {

/// The guest's end of a fake virtio port. It lives as long as the fake, whether or not a host
/// reads. Loop thread only.
class FakeGuestPort {
 public:
  /// What waits for the host's reader at most; a guest that writes more finds its port full.
  static constexpr std::size_t kLimit = 1024 * 1024;

  /// Writes like a guest with O_NONBLOCK: returns how many bytes were taken, 0 if nobody reads.
  std::size_t write(std::string_view bytes);
  /// True while a host has the channel open.
  bool hostConnected() const { return host_ && !host_->ended(); }
  /// The bytes that the host wrote since the last call.
  std::string takeReceived() { return std::exchange(received_, {}); }
  /// Called on the loop after the host wrote something, and after it connected or left.
  void onActivity(std::function<void()> callback) { activity_ = std::move(callback); }
  /// While true the guest reads nothing: host writes wait, then fail with busy.
  void stopReading(bool stop);
  /// How often a host opened the port.
  std::uint64_t opened() const { return opened_; }

 private:
  friend class FakeEnvironment;
  friend class FakeChannel;

  std::shared_ptr<Inbox> connect(boost::asio::any_io_executor loop);
  void disconnect(const std::shared_ptr<Inbox>& who, Error why);
  void receive();

  std::shared_ptr<Inbox> host_;
  std::string waiting_;  ///< from the host, while the guest does not read
  std::uint64_t taken_ = 0;
  std::string received_;
  bool stopped_ = false;
  std::uint64_t opened_ = 0;
  std::function<void()> activity_;
};

/// An environment in memory, for tests and simulations: the test sets the world, the code under
/// test sees it through Environment. Starts connected, with no VM. Nothing in it waits for real
/// time. Its VMs and those of fakeActions() are the same: what is done to one shows in the other.
class FakeEnvironment final : public Environment {
 public:
  enum class Call : std::uint8_t {
    vms,
    statistics,
    host_facts,
    open_channel,
    set_balloon_period,
    guest_facts,
    measure_dirty_rate,
    dirty_rate
  };

  explicit FakeEnvironment(boost::asio::any_io_executor loop, std::string uri = "fake:///system");
  ~FakeEnvironment() override;

  // The world.

  /// Adds the VM or replaces it; silent: see notify(). `environment` is set to the fake's URI.
  void setVm(Vm vm);
  /// Takes the VM away; its open channels end.
  void removeVm(Uuid vm);
  /// Changes the state and gives the lifecycle notice; leaving running/paused ends the VM's
  /// channels.
  void setState(Uuid vm, VmState state, std::string detail, std::string reason = "");
  /// What the next statistics() say of this VM; it stays until replaced. Only active VMs are
  /// reported.
  void setStatistics(VmStatistics statistics);
  /// What the VM's qemu-guest-agent says; absent: it does not answer.
  void setGuest(Uuid vm, std::optional<GuestFacts> facts) { guests_[vm] = std::move(facts); }
  /// What measuring finds from now on; absent: it does not end.
  void setDirtyRate(Uuid vm, std::optional<double> bytes_per_s) { dirtying_[vm] = bytes_per_s; }
  void setHostFacts(HostFacts facts) { facts_ = std::move(facts); }
  void setCapabilities(Capabilities capabilities) { capabilities_ = capabilities; }
  void setEventThreadTick(std::optional<std::chrono::steady_clock::time_point> tick) {
    tick_ = tick;
  }
  /// Ends every channel and fails further calls; gives the notice if it was connected.
  void disconnect(std::string why);
  /// Undoes disconnect(); gives the notice.
  void reconnect();
  /// Delivers a notice now, if run() runs.
  void notify(const Notice& notice);
  /// The guest's end of the VM's port; made on first use. Opening it from the host works while the
  /// VM exists, is active and has_channel.
  FakeGuestPort& port(Uuid vm, const std::string& name);

  // Faults.

  /// The next `times` calls of this kind fail so.
  void failNext(Call call, Error error, int times = 1) {
    gates_.failNext(call, std::move(error), times);
  }
  /// Calls of this kind wait until release(); those that wait then go on.
  void hold(Call call) { gates_.hold(call); }
  void release(Call call) { gates_.release(call); }
  std::size_t held(Call call) const { return gates_.held(call); }

  // The record.

  /// Every call that came, oldest first: "vms", "openChannel UUID NAME", "setBalloonPeriod UUID
  /// 5s".
  const std::vector<std::string>& calls() const { return gates_.calls(); }
  std::size_t count(std::string_view prefix) const { return gates_.count(prefix); }

  // Environment.

  boost::asio::awaitable<void> run() override;
  void onNotice(std::function<void(const Notice&)> receiver) override;
  Status status() const override { return status_; }
  Capabilities capabilities() const override { return capabilities_; }
  std::optional<std::chrono::steady_clock::time_point> eventThreadTick() const override {
    return tick_;
  }
  boost::asio::awaitable<Result<std::vector<Vm>>> vms() override;
  boost::asio::awaitable<Result<std::vector<VmStatistics>>> statistics() override;
  boost::asio::awaitable<Result<HostFacts>> hostFacts() override;
  boost::asio::awaitable<Result<std::unique_ptr<Channel>>> openChannel(Uuid vm,
                                                                       std::string name) override;
  boost::asio::awaitable<Result<void>> setBalloonPeriod(Uuid vm,
                                                        std::chrono::seconds period) override;
  boost::asio::awaitable<Result<GuestAnswer>> guestFacts(Uuid vm) override;
  boost::asio::awaitable<Result<void>> measureDirtyRate(Uuid vm,
                                                        std::chrono::seconds span) override;
  boost::asio::awaitable<Result<std::optional<double>>> dirtyRate(Uuid vm) override;
  Actions& actions() override { return actions_; }
  FakeActions& fakeActions() { return actions_; }

 private:
  boost::asio::awaitable<Result<void>> enter(Call call, std::string record);
  void follow(const Uuid& vm, const FakeVm& state, std::string_view detail,
              std::string_view reason);
  void followEnrolling(const Uuid& vm, const FakeVm& state);
  Result<Vm*> running(const Uuid& vm);
  void endChannels(Uuid vm, const Error& why);

  boost::asio::any_io_executor loop_;
  std::map<Uuid, Vm> vms_;
  std::map<Uuid, VmStatistics> statistics_;
  std::map<Uuid, std::optional<GuestFacts>> guests_;
  std::map<Uuid, std::optional<double>> dirtying_;
  std::map<Uuid, std::optional<double>> measured_;
  HostFacts facts_;
  Capabilities capabilities_{true, true, true};
  std::optional<std::chrono::steady_clock::time_point> tick_;
  Status status_;
  bool running_ = false;
  std::function<void(const Notice&)> receiver_;
  std::map<std::pair<Uuid, std::string>, std::shared_ptr<FakeGuestPort>> ports_;
  FakeGates<Call> gates_;
  FakeActions actions_;
};

}  // namespace virtseer::platform

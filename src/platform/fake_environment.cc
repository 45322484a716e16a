#include "platform/fake_environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace virtseer::platform {

namespace asio = boost::asio;

namespace {

bool isActive(VmState state) {
  return state != VmState::shutoff && state != VmState::crashed && state != VmState::gone;
}

Presence::State presenceOf(VmState state) {
  if (state == VmState::gone) return Presence::State::absent;
  if (!isActive(state)) return Presence::State::off;
  return state == VmState::paused || state == VmState::suspended ? Presence::State::paused
                                                                 : Presence::State::running;
}

VmState stateOf(const Presence& presence) {
  switch (presence.state) {
    case Presence::State::absent:
    case Presence::State::off:
      return presence.crashed ? VmState::crashed : VmState::shutoff;
    case Presence::State::running:
      return VmState::running;
    case Presence::State::paused:
    case Presence::State::incoming:
      break;
  }
  return VmState::paused;
}

}  // namespace

/// The host's end of a fake port.
class FakeChannel final : public Channel {
 public:
  FakeChannel(std::shared_ptr<FakeGuestPort> port, std::shared_ptr<Inbox> inbox)
      : port_(std::move(port)), inbox_(std::move(inbox)) {}
  ~FakeChannel() override { close(); }

  asio::awaitable<Result<std::string>> read() override { return Inbox::take(inbox_); }

  asio::awaitable<Result<void>> write(std::string bytes) override {
    if (inbox_->ended()) co_return fail(*inbox_->reason());
    if (port_->waiting_.size() + bytes.size() > FakeGuestPort::kLimit)
      co_return fail(Code::busy, "the guest does not read");
    port_->waiting_ += bytes;
    queued_ += bytes.size();
    port_->receive();
    co_return co_await Inbox::waitSent(inbox_, queued_);
  }

  void close() override { port_->disconnect(inbox_, {Code::cancelled, "closed"}); }

 private:
  std::shared_ptr<FakeGuestPort> port_;
  std::shared_ptr<Inbox> inbox_;
  std::uint64_t queued_ = 0;
};

std::size_t FakeGuestPort::write(std::string_view bytes) {
  if (!hostConnected()) return 0;
  const auto taken = std::min(bytes.size(), kLimit - std::min(kLimit, host_->unread()));
  host_->push(bytes.substr(0, taken));
  return taken;
}

void FakeGuestPort::stopReading(bool stop) {
  stopped_ = stop;
  receive();
}

void FakeGuestPort::receive() {
  if (stopped_ || waiting_.empty()) return;
  received_ += waiting_;
  taken_ += waiting_.size();
  waiting_.clear();
  if (host_) host_->sent(taken_);
  if (activity_) activity_();
}

std::shared_ptr<Inbox> FakeGuestPort::connect(asio::any_io_executor loop) {
  if (host_) host_->end({Code::unreachable, "another reader took the channel"});
  waiting_.clear();
  taken_ = 0;
  ++opened_;
  host_ = std::make_shared<Inbox>(std::move(loop));
  if (activity_) activity_();
  return host_;
}

void FakeGuestPort::disconnect(const std::shared_ptr<Inbox>& who, Error why) {
  if (who->ended()) return;
  who->end(std::move(why));
  if (host_ == who) host_.reset();
  if (activity_) activity_();
}

FakeEnvironment::FakeEnvironment(asio::any_io_executor loop, std::string uri)
    : loop_(loop), gates_(loop), actions_(loop) {
  actions_.onChange([this](const Uuid& vm, const FakeVm& state, std::string_view detail,
                           std::string_view reason) { follow(vm, state, detail, reason); });
  actions_.onEnrolled([this](const Uuid& vm, const FakeVm& state) { followEnrolling(vm, state); });
  status_.connected = true;
  status_.uri = std::move(uri);
  status_.since = Timestamp{};
  facts_.uuid = *Uuid::parse("f0f0f0f0-0000-4000-8000-000000000001");
  facts_.name = "fake-host";
  facts_.cpu_model = "fake";
  facts_.cpus_online = 4;
  facts_.memory_bytes = 8ULL << 30;
  facts_.library_version = "9.0.0";
  facts_.hypervisor_version = "Fake 1.0.0";
}

FakeEnvironment::~FakeEnvironment() {
  for (const auto& [key, port] : ports_) {
    port->onActivity(nullptr);
    if (port->host_) port->disconnect(port->host_, {Code::cancelled, "the environment is gone"});
  }
}

void FakeEnvironment::setVm(Vm vm) {
  vm.environment = status_.uri;
  auto* known = actions_.find(vm.uuid) ? &actions_.vm(vm.uuid) : &actions_.add(vm.uuid, vm.name);
  known->presence.state = presenceOf(vm.state);
  known->presence.defined = vm.persistent;
  known->definition.autostart = vm.autostart;
  known->live.channel = known->config.channel = vm.has_channel;
  known->live.balloon_period_s = known->config.balloon_period_s = vm.balloon_period_s;
  vms_[vm.uuid] = std::move(vm);
}

/// Something was done to a VM: it shows in the list, and is told.
void FakeEnvironment::follow(const Uuid& vm, const FakeVm& state, std::string_view detail,
                             std::string_view reason) {
  const auto stopped = state.presence.state == Presence::State::off ||
                       state.presence.state == Presence::State::absent;
  auto& entry = vms_[vm];
  entry.uuid = vm;
  entry.name = state.name;
  entry.environment = status_.uri;
  entry.persistent = state.presence.defined;
  entry.autostart = state.definition.autostart;
  entry.state = stateOf(state.presence);
  if (stopped) endChannels(vm, {Code::unreachable, "the VM stopped"});
  if (stopped && !state.presence.defined) vms_.erase(vm);
  notify({Notice::Kind::vm_lifecycle, vm, state.name, std::string(detail), std::string(reason)});
}

void FakeEnvironment::followEnrolling(const Uuid& vm, const FakeVm& state) {
  const auto found = vms_.find(vm);
  if (found == vms_.end()) return;
  const auto& side = isActive(found->second.state) ? state.live : state.config;
  found->second.has_channel = side.channel;
  found->second.balloon_period_s = side.balloon_period_s;
  if (!side.channel) endChannels(vm, {Code::unreachable, "the channel is gone"});
  notify({Notice::Kind::vm_changed, vm, state.name, "enrolled", ""});
}

Result<Vm*> FakeEnvironment::running(const Uuid& vm) {
  const auto found = vms_.find(vm);
  if (found == vms_.end()) return fail(Code::not_found, "no such VM");
  if (!isActive(found->second.state)) return fail(Code::failed, "the VM does not run");
  return &found->second;
}

void FakeEnvironment::removeVm(Uuid vm) {
  vms_.erase(vm);
  actions_.remove(vm);
  statistics_.erase(vm);
  endChannels(vm, {Code::unreachable, "the VM is gone"});
}

void FakeEnvironment::setState(Uuid vm, VmState state, std::string detail, std::string reason) {
  auto& entry = vms_.at(vm);
  entry.state = state;
  actions_.vm(vm).presence.state = presenceOf(state);
  if (!isActive(state)) endChannels(vm, {Code::unreachable, "the VM stopped"});
  notify({Notice::Kind::vm_lifecycle, vm, entry.name, std::move(detail), std::move(reason)});
}

void FakeEnvironment::setStatistics(VmStatistics statistics) {
  statistics_[statistics.uuid] = std::move(statistics);
}

void FakeEnvironment::disconnect(std::string why) {
  if (!status_.connected) return;
  status_.connected = false;
  status_.error = why;
  status_.since.reset();
  actions_.disconnect(why);
  for (const auto& [key, port] : ports_) {
    if (port->host_) port->disconnect(port->host_, {Code::unreachable, why});
  }
  notify({Notice::Kind::disconnected, std::nullopt, "", std::move(why), ""});
}

void FakeEnvironment::reconnect() {
  if (status_.connected) return;
  status_.connected = true;
  status_.error.clear();
  status_.since = Timestamp{};
  actions_.reconnect();
  ++status_.reconnects;
  notify({Notice::Kind::connected, std::nullopt, "", "", ""});
}

void FakeEnvironment::notify(const Notice& notice) {
  if (running_ && receiver_) receiver_(notice);
}

FakeGuestPort& FakeEnvironment::port(Uuid vm, const std::string& name) {
  auto& slot = ports_[{vm, name}];
  if (!slot) slot = std::make_shared<FakeGuestPort>();
  return *slot;
}

void FakeEnvironment::endChannels(Uuid vm, const Error& why) {
  for (const auto& [key, port] : ports_) {
    if (key.first == vm && port->host_) port->disconnect(port->host_, why);
  }
}

asio::awaitable<Result<void>> FakeEnvironment::enter(Call call, std::string record) {
  const auto entered = co_await gates_.enter(call, std::move(record));
  if (!entered) {
    if (entered.error().code == Code::timeout) ++status_.calls_timed_out;
    co_return fail(entered.error());
  }
  if (!status_.connected) co_return fail(Code::unreachable, status_.error);
  co_return Result<void>();
}

asio::awaitable<void> FakeEnvironment::run() {
  struct Running {
    explicit Running(bool& flag) : running(flag) { running = true; }
    ~Running() { running = false; }
    bool& running;
  } const running(running_);
  if (status_.connected) notify({Notice::Kind::connected, std::nullopt, "", "", ""});
  asio::steady_timer forever(loop_, asio::steady_timer::time_point::max());
  co_await forever.async_wait(asio::use_awaitable);
}

void FakeEnvironment::onNotice(std::function<void(const Notice&)> receiver) {
  receiver_ = std::move(receiver);
}

asio::awaitable<Result<std::vector<Vm>>> FakeEnvironment::vms() {
  if (auto entered = co_await enter(Call::vms, "vms"); !entered) co_return fail(entered.error());
  std::vector<Vm> out;
  for (const auto& [uuid, vm] : vms_) out.push_back(vm);
  co_return out;
}

asio::awaitable<Result<std::vector<VmStatistics>>> FakeEnvironment::statistics() {
  if (auto entered = co_await enter(Call::statistics, "statistics"); !entered)
    co_return fail(entered.error());
  std::vector<VmStatistics> out;
  for (const auto& [uuid, vm] : vms_) {
    if (!isActive(vm.state)) continue;
    const auto set = statistics_.find(uuid);
    out.push_back(set == statistics_.end() ? VmStatistics{uuid, false, {}} : set->second);
  }
  co_return out;
}

asio::awaitable<Result<HostFacts>> FakeEnvironment::hostFacts() {
  if (auto entered = co_await enter(Call::host_facts, "hostFacts"); !entered)
    co_return fail(entered.error());
  co_return facts_;
}

asio::awaitable<Result<std::unique_ptr<Channel>>> FakeEnvironment::openChannel(Uuid vm,
                                                                               std::string name) {
  auto entered =
      co_await enter(Call::open_channel, fmt::format("openChannel {} {}", vm.text(), name));
  if (!entered) co_return fail(entered.error());
  const auto found = vms_.find(vm);
  if (found == vms_.end()) co_return fail(Code::not_found, "no such VM");
  if (!isActive(found->second.state)) co_return fail(Code::unreachable, "the VM does not run");
  if (!found->second.has_channel) co_return fail(Code::failed, "the VM has no such channel");
  port(vm, name);
  const auto& guest = ports_[{vm, name}];
  co_return std::make_unique<FakeChannel>(guest, guest->connect(loop_));
}

asio::awaitable<Result<void>> FakeEnvironment::setBalloonPeriod(Uuid vm,
                                                                std::chrono::seconds period) {
  auto entered = co_await enter(Call::set_balloon_period,
                                fmt::format("setBalloonPeriod {} {}s", vm.text(), period.count()));
  if (!entered) co_return fail(entered.error());
  const auto found = vms_.find(vm);
  if (found == vms_.end()) co_return fail(Code::not_found, "no such VM");
  found->second.balloon_period_s = static_cast<std::uint32_t>(period.count());
  actions_.vm(vm).live.balloon_period_s = found->second.balloon_period_s;
  co_return Result<void>();
}

asio::awaitable<Result<GuestAnswer>> FakeEnvironment::guestFacts(Uuid vm) {
  auto entered = co_await enter(Call::guest_facts, "guestFacts " + vm.text());
  if (!entered) co_return fail(entered.error());
  const auto found = running(vm);
  if (!found) co_return fail(found.error());
  if (!(*found)->has_guest_agent)
    co_return fail(Code::unsupported, "QEMU guest agent is not configured");
  const auto known = guests_.find(vm);
  if (known == guests_.end() || !known->second)
    co_return GuestAnswer{std::nullopt, "QEMU guest agent is not connected"};
  co_return GuestAnswer{known->second, ""};
}

asio::awaitable<Result<void>> FakeEnvironment::measureDirtyRate(Uuid vm,
                                                                std::chrono::seconds span) {
  auto entered = co_await enter(Call::measure_dirty_rate,
                                fmt::format("measureDirtyRate {} {}s", vm.text(), span.count()));
  if (!entered) co_return fail(entered.error());
  const auto found = running(vm);
  if (!found) co_return fail(found.error());
  measured_[vm] = dirtying_[vm];
  co_return Result<void>();
}

asio::awaitable<Result<std::optional<double>>> FakeEnvironment::dirtyRate(Uuid vm) {
  auto entered = co_await enter(Call::dirty_rate, "dirtyRate " + vm.text());
  if (!entered) co_return fail(entered.error());
  const auto found = running(vm);
  if (!found) co_return fail(found.error());
  co_return measured_[vm];
}

}  // namespace virtseer::platform

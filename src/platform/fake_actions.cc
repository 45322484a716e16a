#include "platform/fake_actions.h"

#include <fmt/format.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace virtseer::platform {

namespace asio = boost::asio;

namespace {

using State = Presence::State;
using Job = Presence::Job;

bool isActive(State state) {
  return state != State::absent && state != State::off;
}

/// The text between two marks; empty if it is not there.
std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const auto begin = text.find(before);
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin + before.size());
  return text.substr(0, text.find(after));
}

VmState stateOf(State state) {
  switch (state) {
    case State::absent:
      return VmState::gone;
    case State::off:
      return VmState::shutoff;
    case State::running:
      return VmState::running;
    case State::paused:
    case State::incoming:
      break;
  }
  return VmState::paused;
}

}  // namespace

FakeActions::FakeActions(asio::any_io_executor loop) : loop_(loop), gates_(loop) {}

FakeActions::~FakeActions() = default;

std::string FakeActions::xml(const Uuid& vm, std::string_view name) {
  return fmt::format("<domain type='fake'><name>{}</name><uuid>{}</uuid></domain>", name,
                     vm.text());
}

FakeVm& FakeActions::add(Uuid vm, std::string name) {
  auto& entry = vms_[vm];
  entry = {};
  entry.name = name;
  entry.definition.inactive = entry.definition.live = xml(vm, name);
  entry.placed.uuid = vm;
  entry.placed.name = std::move(name);
  return entry;
}

const FakeVm* FakeActions::find(const Uuid& vm) const {
  const auto found = vms_.find(vm);
  return found == vms_.end() ? nullptr : &found->second;
}

bool FakeActions::runs(const Uuid& vm) const {
  const auto* entry = find(vm);
  return entry && entry->presence.state == State::running;
}

void FakeActions::tell(const Uuid& vm, std::string_view detail, std::string_view reason) {
  const auto found = vms_.find(vm);
  if (found != vms_.end() && changed_) changed_(vm, found->second, detail, reason);
}

void FakeActions::disconnect(std::string why) {
  for (const auto& [vm, move] : moves_) {
    if (move->result) continue;
    move->result = fail(Code::unreachable, why);
    move->ended.cancel();
  }
  disconnected_ = std::move(why);
}

void FakeActions::crash(const Uuid& vm) {
  if (moves_.contains(vm)) failMove(vm, {Code::failed, "the emulator of the VM died"});
  auto& entry = vms_.at(vm);
  entry.presence.state = State::off;
  entry.presence.job = Job::none;
  entry.presence.crashed = true;
  entry.presence.reason = "crashed";
  tell(vm, "stopped", "crashed");
  if (!entry.presence.defined) vms_.erase(vm);
}

void FakeActions::losePower(const Uuid& vm) {
  if (moves_.contains(vm)) failMove(vm, {Code::failed, "the host of the VM went down"});
  auto& presence = vms_.at(vm).presence;
  presence = {
      .state = State::off, .defined = presence.defined, .reason = "off", .unexplained = true};
  if (!presence.defined) vms_.erase(vm);
}

asio::awaitable<Result<std::optional<Error>>> FakeActions::enter(Call call, std::string record) {
  auto entered = co_await gates_.enter(call, std::move(record));
  if (entered && disconnected_) co_return fail(Code::unreachable, *disconnected_);
  co_return entered;
}

Result<FakeVm*> FakeActions::known(const Uuid& vm) {
  const auto found = vms_.find(vm);
  if (found == vms_.end()) return fail(Code::not_found, "VM " + vm.text() + ": no such VM");
  return &found->second;
}

// Moves.

Result<std::shared_ptr<FakeActions::Move>> FakeActions::beginMove(const MigrateOrder& order) {
  const auto entry = known(order.vm);
  if (!entry) return fail(entry.error());
  auto& source = **entry;
  if (!isActive(source.presence.state)) return fail(Code::failed, "the VM does not run");
  if (source.presence.job != Job::none) return fail(Code::busy, "another job runs on the VM");
  if (order.copy_storage && order.copied != source.definition.local_disks)
    return fail(Code::refused, "the VM's disks have changed since they were looked at");
  const auto link = links_.find(order.destination);
  if (link == links_.end() || link->second->disconnected_)
    return fail(Code::failed, "failed to connect to remote libvirt URI " + order.destination);
  auto& destination = *link->second;
  const auto* there = destination.find(order.vm);
  if (there && isActive(there->presence.state))
    return fail(Code::failed, "the VM is active at the destination already");
  const bool defined_there = there && there->presence.defined;
  auto move = std::make_shared<Move>(loop_);
  move->order = order;
  move->destination = &destination;
  auto& copy = destination.vms_[order.vm];
  copy = source;
  copy.presence = {.state = State::incoming,
                   .job = Job::migration_in,
                   .defined = defined_there,
                   .reason = "migration"};
  if (!defined_there) copy.definition.inactive.clear();
  copy.definition.autostart = copy.definition.managed_save = false;
  source.presence.job = Job::migration_out;
  moves_[order.vm] = move;
  if (order.copy_storage)
    destination.files_.insert(destination.copies_.begin(), destination.copies_.end());
  destination.tell(order.vm, "started", "migrated");
  return move;
}

void FakeActions::switchOver(const Uuid& vm) {
  auto& move = *moves_.at(vm);
  if (std::exchange(move.switched, true)) return;
  auto& source = vms_.at(vm).presence;
  source.state = State::paused;
  source.reason = "migration";
  tell(vm, "suspended", "migrated");
  auto& copy = move.destination->vms_.at(vm);
  copy.presence.state = State::running;
  copy.presence.reason = "migrated";
  if (move.order.persistent) {
    copy.presence.defined = true;
    copy.definition.inactive = xml(vm, copy.name);
  }
  move.destination->tell(vm, "resumed", "migrated");
}

void FakeActions::endJobs(const Uuid& vm) {
  if (const auto here = vms_.find(vm); here != vms_.end()) here->second.presence.job = Job::none;
  for (const auto& [uri, other] : links_) {
    const auto there = other->vms_.find(vm);
    if (there != other->vms_.end()) there->second.presence.job = Job::none;
  }
}

void FakeActions::finishMove(const Uuid& vm, MigrateEnd end_values) {
  switchOver(vm);
  endJobs(vm);
  auto& entry = vms_.at(vm);
  entry.presence.state = State::off;
  entry.presence.reason = "migrated";
  // libvirt tells of the end, but not that the definition is gone.
  if (moves_.at(vm)->order.persistent) entry.presence.defined = false;
  tell(vm, "stopped", "migrated");
  if (!entry.presence.defined) vms_.erase(vm);
  end(vm, end_values);
}

void FakeActions::failMove(const Uuid& vm, Error error) {
  auto& move = *moves_.at(vm);
  endJobs(vm);
  auto& source = vms_.at(vm).presence;
  if (move.switched) {
    source.state = State::running;
    source.reason = "migration canceled";
    tell(vm, "resumed", "migrated");
  }
  auto& there = move.destination->vms_;
  if (const auto copy = there.find(vm); copy != there.end()) {
    copy->second.presence.state = State::off;
    copy->second.presence.reason = "failed";
    move.destination->tell(vm, "stopped", "failed");
    if (!copy->second.presence.defined) there.erase(copy);
  }
  end(vm, fail(std::move(error)));
}

void FakeActions::endCall(const Uuid& vm, Result<MigrateEnd> result) {
  end(vm, std::move(result));
}

void FakeActions::end(const Uuid& vm, Result<MigrateEnd> result) {
  const auto move = moves_.extract(vm).mapped();
  if (!move->result) move->result = std::move(result);
  move->ended.cancel();
}

asio::awaitable<Result<MigrateEnd>> FakeActions::migrate(MigrateOrder order) {
  auto entered = co_await enter(Call::migrate,
                                fmt::format("migrate {} {}", order.vm.text(), order.destination));
  if (!entered) co_return fail(entered.error());
  const auto begun = beginMove(order);
  if (!begun) co_return fail(begun.error());
  const auto move = *begun;
  if (!hold_moves_) finishMove(order.vm);
  while (!move->result) {
    boost::system::error_code ignored;
    co_await move->ended.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  if (*entered) co_return fail(**entered);
  co_return *move->result;
}

asio::awaitable<Result<MigrationProgress>> FakeActions::progress(Uuid vm) {
  auto entered = co_await enter(Call::progress, "progress " + vm.text());
  if (!entered) co_return fail(entered.error());
  const auto entry = known(vm);
  if (!entry) co_return fail(entry.error());
  if ((*entry)->presence.job == Job::none) co_return fail(Code::not_found, "no job runs on it");
  co_return (*entry)->progress.value_or(MigrationProgress{});
}

asio::awaitable<Result<void>> FakeActions::abortJob(Uuid vm) {
  auto entered = co_await enter(Call::abort_job, "abortJob " + vm.text());
  if (!entered) co_return fail(entered.error());
  const auto entry = known(vm);
  if (!entry) co_return fail(entry.error());
  if ((*entry)->presence.job == Job::none) co_return fail(Code::failed, "no job runs on it");
  if (!ignore_aborts_) {
    (*entry)->presence.job = Job::none;
    if (moves_.contains(vm)) failMove(vm, {Code::cancelled, "migration out: canceled by client"});
  }
  if (*entered) co_return fail(**entered);
  co_return Result<void>();
}

// What is asked.

asio::awaitable<Result<std::vector<PlacedVm>>> FakeActions::placed() {
  auto entered = co_await enter(Call::placed, "placed");
  if (!entered) co_return fail(entered.error());
  std::vector<PlacedVm> out;
  for (const auto& [uuid, entry] : vms_) {
    if (!isActive(entry.presence.state)) continue;
    out.push_back(entry.placed);
    out.back().state = stateOf(entry.presence.state);
  }
  co_return out;
}

asio::awaitable<Result<HostState>> FakeActions::host() {
  auto entered = co_await enter(Call::host, "host");
  if (!entered) co_return fail(entered.error());
  co_return host_;
}

asio::awaitable<Result<Presence>> FakeActions::presence(Uuid vm) {
  auto entered = co_await enter(Call::presence, "presence " + vm.text());
  if (!entered) co_return fail(entered.error());
  const auto* entry = find(vm);
  co_return entry ? entry->presence : Presence{};
}

asio::awaitable<Result<VmDefinition>> FakeActions::definition(Uuid vm) {
  auto entered = co_await enter(Call::definition, "definition " + vm.text());
  if (!entered) co_return fail(entered.error());
  const auto entry = known(vm);
  if (!entry) co_return fail(entry.error());
  auto out = (*entry)->definition;
  if (!(*entry)->presence.defined) out.inactive.clear();
  if (!isActive((*entry)->presence.state)) {
    out.live.clear();
    out.local_disks.clear();
  }
  co_return out;
}

asio::awaitable<Result<Admission>> FakeActions::admits(std::string live_xml, bool copy_storage,
                                                       std::vector<DiskCopy>) {
  const auto uuid = between(live_xml, "<uuid>", "</uuid>");
  auto entered = co_await enter(
      Call::admits, fmt::format("admits {} {}", uuid, copy_storage ? "copy" : "shared"));
  if (!entered) co_return fail(entered.error());
  const auto vm = Uuid::parse(uuid);
  if (!vm) co_return fail(Code::invalid, "this is no domain XML");
  const auto* there = find(*vm);
  const bool active = there && isActive(there->presence.state);
  Admission out{.checks = checks_, .copies = {}};
  out.checks.push_back(
      {"identity", !there || active, "whether a VM that is off has this UUID here"});
  out.checks.push_back({"active", !active, "whether the VM is active here"});
  for (const auto& path : copy_storage ? copies_ : std::vector<std::string>()) {
    const bool free = !files_.contains(path);
    if (free) out.copies.push_back(path);
    out.checks.push_back({"disk", free, path + (free ? " can be made" : " exists here already")});
  }
  co_return out;
}

}  // namespace virtseer::platform

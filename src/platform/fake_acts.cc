#include <fmt/format.h>

#include "platform/fake_actions.h"

// The short acts of the fake: what each does to a VM in memory.

namespace virtseer::platform {

namespace asio = boost::asio;

namespace {

using State = Presence::State;

bool isActive(State state) {
  return state != State::absent && state != State::off;
}

/// What the call is to return after it took effect.
Result<void> answer(const std::optional<Error>& lost, Result<void> done) {
  if (done && lost) return fail(*lost);
  return done;
}

/// UUID and name as FakeActions::xml() writes them.
Result<std::pair<Uuid, std::string>> identityOf(const std::string& xml) {
  const auto part = [&](std::string_view mark) {
    const auto begin = xml.find(fmt::format("<{}>", mark));
    const auto end = xml.find(fmt::format("</{}>", mark));
    if (begin == std::string::npos || end == std::string::npos || end < begin) return std::string();
    const auto from = begin + mark.size() + 2;
    return xml.substr(from, end - from);
  };
  const auto uuid = Uuid::parse(part("uuid"));
  if (!uuid) return fail(Code::invalid, "no domain XML");
  return std::pair(*uuid, part("name"));
}

}  // namespace

Result<void> FakeActions::suspendNow(const Uuid& vm) {
  const auto entry = known(vm);
  if (!entry) return fail(entry.error());
  auto& presence = (*entry)->presence;
  if (!isActive(presence.state)) return fail(Code::failed, "the VM does not run");
  if (presence.state == State::paused) return {};
  presence.state = State::paused;
  presence.reason = "user";
  tell(vm, "suspended", "paused");
  return {};
}

Result<void> FakeActions::resumeNow(const Uuid& vm) {
  const auto entry = known(vm);
  if (!entry) return fail(entry.error());
  auto& presence = (*entry)->presence;
  if (!isActive(presence.state)) return fail(Code::failed, "the VM does not run");
  if (presence.state == State::running) return {};
  presence.state = State::running;
  presence.reason = "unpaused";
  tell(vm, "resumed", "unpaused");
  return {};
}

Result<void> FakeActions::startNow(const Uuid& vm, const std::string& xml) {
  if (!vms_.contains(vm) && !xml.empty()) {
    const auto identity = identityOf(xml);
    if (!identity) return fail(identity.error());
    if (identity->first != vm) return fail(Code::invalid, "the XML is another VM's");
    auto& entry = add(vm, identity->second);
    entry.presence = {};
    entry.definition.inactive.clear();
  }
  const auto entry = known(vm);
  if (!entry) return fail(entry.error());
  auto& presence = (*entry)->presence;
  if (isActive(presence.state)) return fail(Code::failed, "the VM is active already");
  presence.state = State::running;
  presence.job = Presence::Job::none;
  presence.crashed = presence.unexplained = false;
  presence.reason = "booted";
  (*entry)->definition.live = this->xml(vm, (*entry)->name);
  (*entry)->live = (*entry)->config;
  tell(vm, "started", "booted");
  return {};
}

Result<void> FakeActions::destroyNow(const Uuid& vm) {
  const auto entry = known(vm);
  if (!entry) return {};
  auto& presence = (*entry)->presence;
  if (!isActive(presence.state)) return {};
  if (moves_.contains(vm)) failMove(vm, {Code::failed, "the VM was destroyed"});
  presence.state = State::off;
  presence.job = Presence::Job::none;
  presence.crashed = false;
  presence.reason = "destroyed";
  tell(vm, "stopped", "destroyed");
  if (!presence.defined) vms_.erase(vm);
  return {};
}

Result<void> FakeActions::defineNow(const std::string& xml) {
  const auto identity = identityOf(xml);
  if (!identity) return fail(identity.error());
  const auto& [uuid, name] = *identity;
  if (!vms_.contains(uuid)) {
    auto& entry = add(uuid, name);
    entry.presence = {.state = State::off, .reason = "off", .unexplained = true};
    entry.definition.live.clear();
  }
  auto& entry = vms_.at(uuid);
  entry.presence.defined = true;
  entry.definition.inactive = xml;
  tell(uuid, "defined", "added");
  return {};
}

Result<void> FakeActions::undefineNow(const Uuid& vm) {
  const auto entry = known(vm);
  if (!entry || !(*entry)->presence.defined) return {};
  auto& found = **entry;
  found.presence.defined = false;
  found.definition.inactive.clear();
  found.definition.autostart = false;
  const bool active = isActive(found.presence.state);
  if (!active) found.presence.state = State::absent;
  tell(vm, "undefined", "removed");
  if (!active) vms_.erase(vm);
  return {};
}

asio::awaitable<Result<void>> FakeActions::setAutostart(Uuid vm, bool on) {
  auto entered = co_await enter(Call::set_autostart,
                                fmt::format("setAutostart {} {}", vm.text(), on ? "yes" : "no"));
  if (!entered) co_return fail(entered.error());
  const auto entry = known(vm);
  if (!entry) co_return fail(entry.error());
  if (!(*entry)->presence.defined) co_return fail(Code::failed, "the VM is transient");
  (*entry)->definition.autostart = on;
  co_return answer(*entered, {});
}

asio::awaitable<Result<void>> FakeActions::removeManagedSave(Uuid vm) {
  auto entered = co_await enter(Call::remove_managed_save, "removeManagedSave " + vm.text());
  if (!entered) co_return fail(entered.error());
  const auto entry = known(vm);
  if (!entry) co_return fail(entry.error());
  (*entry)->definition.managed_save = false;
  co_return answer(*entered, {});
}

asio::awaitable<Result<void>> FakeActions::suspend(Uuid vm) {
  auto entered = co_await enter(Call::suspend, "suspend " + vm.text());
  if (!entered) co_return fail(entered.error());
  co_return answer(*entered, suspendNow(vm));
}

asio::awaitable<Result<void>> FakeActions::resume(Uuid vm) {
  auto entered = co_await enter(Call::resume, "resume " + vm.text());
  if (!entered) co_return fail(entered.error());
  co_return answer(*entered, resumeNow(vm));
}

asio::awaitable<Result<void>> FakeActions::start(Uuid vm, std::string xml) {
  auto entered =
      co_await enter(Call::start, fmt::format("start {}{}", vm.text(), xml.empty() ? "" : " xml"));
  if (!entered) co_return fail(entered.error());
  co_return answer(*entered, startNow(vm, xml));
}

asio::awaitable<Result<void>> FakeActions::destroy(Uuid vm) {
  auto entered = co_await enter(Call::destroy, "destroy " + vm.text());
  if (!entered) co_return fail(entered.error());
  co_return answer(*entered, destroyNow(vm));
}

asio::awaitable<Result<void>> FakeActions::define(std::string xml) {
  const auto identity = identityOf(xml);
  auto entered =
      co_await enter(Call::define, "define " + (identity ? identity->first.text() : "?"));
  if (!entered) co_return fail(entered.error());
  co_return answer(*entered, defineNow(xml));
}

asio::awaitable<Result<void>> FakeActions::undefine(Uuid vm) {
  auto entered = co_await enter(Call::undefine, "undefine " + vm.text());
  if (!entered) co_return fail(entered.error());
  co_return answer(*entered, undefineNow(vm));
}

asio::awaitable<Result<void>> FakeActions::setAside(std::string path, std::string new_path) {
  auto entered = co_await enter(Call::set_aside, fmt::format("setAside {} {}", path, new_path));
  if (!entered) co_return fail(entered.error());
  if (files_.erase(path) == 0) co_return fail(Code::not_found, path + ": no such file");
  files_.insert(new_path);
  co_return answer(*entered, {});
}

asio::awaitable<Result<void>> FakeActions::deleteVolume(std::string path) {
  auto entered = co_await enter(Call::delete_volume, "deleteVolume " + path);
  if (!entered) co_return fail(entered.error());
  files_.erase(path);
  co_return answer(*entered, {});
}

// Enrolling.

Result<FakeVm*> FakeActions::changeable(const Uuid& vm, Affects where) {
  const auto entry = known(vm);
  if (!entry) return entry;
  if (where.live && !isActive((*entry)->presence.state))
    return fail(Code::failed, "the VM does not run");
  if (where.config && !(*entry)->presence.defined) return fail(Code::failed, "the VM is transient");
  return entry;
}

asio::awaitable<Result<EnrollFacts>> FakeActions::enrollFacts(Uuid vm) {
  auto entered = co_await enter(Call::enroll_facts, "enrollFacts " + vm.text());
  if (!entered) co_return fail(entered.error());
  const auto entry = known(vm);
  if (!entry) co_return fail(entry.error());
  const auto& found = **entry;
  EnrollFacts out;
  out.vm = vm;
  out.name = found.name;
  out.driver = found.driver;
  out.machine = found.placed.machine;
  out.presence = found.presence;
  if (isActive(found.presence.state)) out.live = found.live;
  if (found.presence.defined) out.config = found.config;
  out.saved = found.definition.managed_save && !isActive(found.presence.state);
  out.metadata = found.placed.metadata;
  out.managed_by = found.placed.managed_by;
  co_return out;
}

asio::awaitable<Result<void>> FakeActions::setEchoChannel(Uuid vm, bool present, Affects where) {
  auto entered =
      co_await enter(Call::set_echo_channel,
                     fmt::format("setEchoChannel {} {}{}{}", vm.text(), present ? "yes" : "no",
                                 where.live ? " live" : "", where.config ? " config" : ""));
  if (!entered) co_return fail(entered.error());
  const auto entry = changeable(vm, where);
  if (!entry) co_return fail(entry.error());
  auto& found = **entry;
  if (where.live && present && !found.live.channel && found.no_room) co_return fail(*found.no_room);
  if (where.live) found.live.channel = present;
  if (where.config) found.config.channel = present;
  if (enrolled_) enrolled_(vm, found);
  co_return answer(*entered, {});
}

asio::awaitable<Result<void>> FakeActions::setBalloonPeriod(Uuid vm, std::chrono::seconds period,
                                                            Affects where) {
  auto entered =
      co_await enter(Call::set_balloon_period,
                     fmt::format("setBalloonPeriod {} {}s{}{}", vm.text(), period.count(),
                                 where.live ? " live" : "", where.config ? " config" : ""));
  if (!entered) co_return fail(entered.error());
  const auto entry = changeable(vm, where);
  if (!entry) co_return fail(entry.error());
  auto& found = **entry;
  const auto seconds = static_cast<std::uint32_t>(period.count());
  for (auto* side : {where.live ? &found.live : nullptr, where.config ? &found.config : nullptr})
    if (side && side->balloon_period_s) side->balloon_period_s = seconds;
  if (enrolled_) enrolled_(vm, found);
  co_return answer(*entered, {});
}

}  // namespace virtseer::platform

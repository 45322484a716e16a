#include "collect/agent_links.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "base/text.h"
#include "collect/agent_link.h"
#include "model/host_state.h"

namespace virtseer::collect {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMaxPendingLoads = 16;

std::string whyIdle(const Vm& vm) {
  if (!runs(vm.state)) return "the VM is " + std::string(name(vm.state));
  return vm.has_channel ? ""
                        : "the VM has no virtio channel named " + std::string(echo::kChannelName);
}

}  // namespace

AgentLinks::AgentLinks(asio::any_io_executor loop, const Clock& clock, AgentLinksOptions options,
                       RowSink rows, StoredPosition stored, EventSink report, ReportSink reports)
    : loop_(loop),
      clock_(clock),
      options_(std::move(options)),
      rows_(std::move(rows)),
      stored_(std::move(stored)),
      report_(std::move(report)),
      reports_(std::move(reports)),
      random_(std::random_device{}()),
      last_load_(static_cast<std::uint64_t>(clock.wall().time_since_epoch().count())),
      tasks_(loop, [this](const std::string& task, const std::string& what) {
        ++past_.failures;
        log(Level::error, task + " ended: " + what);
      }) {}

AgentLinks::~AgentLinks() = default;

void AgentLinks::setVms(platform::Environment& environment, std::span<const Vm> vms) {
  std::map<Uuid, const Vm*> named;
  for (const auto& vm : vms) named[vm.uuid] = &vm;
  for (auto entry = links_.begin(); entry != links_.end();) {
    Link& link = *entry->second;
    if (link.environment != &environment || named.contains(link.vm)) {
      ++entry;
      continue;
    }
    link.listed = link.wanted = false;
    disconnect(link);
    past_.echoes += link.view.echoes;
    past_.duplicates += link.view.duplicates;
    past_.lost += link.view.lost;
    past_.faults += link.view.faults;
    entry = links_.erase(entry);
  }
  for (const auto& [uuid, vm] : named) {
    auto& link = links_[uuid];
    if (!link) {
      link = std::make_shared<Link>(loop_, options_, rows_, uuid);
      resume(*link);
    }
    want(*link, *vm, environment);
    begin(link);
  }
}

/// Goes on behind what the store holds.
void AgentLinks::resume(Link& link) {
  link.moveTo(stored_(link.vm));
  if (reports_.told) link.news.resume(reports_.told(link.vm));
}

void AgentLinks::want(Link& link, const Vm& vm, platform::Environment& environment) {
  const bool moved = link.environment && link.environment != &environment;
  link.runs = runs(vm.state);
  link.has_channel = vm.has_channel;
  link.called = link.called && link.runs;
  const bool wanted = link.runs && (vm.has_channel || link.called);
  link.environment = &environment;
  link.name = vm.name;
  link.idle = wanted ? "" : whyIdle(vm);
  if (link.wanted && (!wanted || moved)) {
    link.announced = false;
    disconnect(link);
  }
  if (wanted && (!link.wanted || moved)) {
    link.backoff.reset();
    link.penalties.reset();
    link.unanswered = 0;
    link.nudged = true;
    link.view.state = AgentLink::State::connecting;
    link.wake.cancel();
  }
  link.wanted = wanted;
  if (!wanted) {
    link.view.state = AgentLink::State::absent;
    link.view.reason = link.idle;
  }
}

void AgentLinks::begin(const LinkPtr& link) {
  if (link->serving || !link->wanted) return;
  link->serving = true;
  tasks_.spawn("agent link of " + printable(link->name), serve(link));
}

void AgentLinks::nudge(Uuid vm) {
  const auto found = links_.find(vm);
  if (found == links_.end() || !found->second->wanted || found->second->connection) return;
  found->second->backoff.reset();
  found->second->nudged = true;
  found->second->wake.cancel();
}

Result<void> AgentLinks::offer(Uuid vm, std::unique_ptr<platform::Channel> channel,
                               std::string caller) {
  const auto found = links_.find(vm);
  if (found == links_.end()) return fail(Code::not_found, "the VM is not on this host");
  const auto& link = found->second;
  if (!link->runs) return fail(Code::refused, link->idle);
  if (clock_.mono() < link->barred_until)
    return fail(Code::busy, "the agent is left alone for a while: " + link->view.reason);
  link->offered = std::move(channel);
  link->view.caller = std::move(caller);
  link->unanswered = 0;
  link->called = link->wanted = true;
  link->idle.clear();
  if (link->view.state == AgentLink::State::absent) link->view.state = AgentLink::State::connecting;
  if (link->connection) link->connection->end("the agent called anew");
  link->nudged = true;
  link->wake.cancel();
  begin(link);
  return {};
}

void AgentLinks::endCall(Uuid vm) {
  const auto found = links_.find(vm);
  if (found == links_.end() || found->second->view.caller.empty()) return;
  auto& link = *found->second;
  link.offered.reset();
  if (link.connection) link.connection->end("its token was taken back");
}

void AgentLinks::disconnect(Link& link) {
  link.offered.reset();
  if (link.connection) link.connection->end(link.idle);
  link.wake.cancel();
}

void AgentLinks::commitTaken() {
  for (const auto& [uuid, link] : links_) link->marked = link->taken;
}

void AgentLinks::committed() {
  for (const auto& [uuid, link] : links_) {
    if (link->committed != link->marked) {
      link->committed = link->marked;
      if (link->connection) {
        if (auto ack =
                link->connection->session.stored(link->committed.epoch, link->committed.sequence))
          link->connection->put(std::move(*ack));
      }
    }
    // One commit follows another: what is appended by now is in the next one, whenever it is taken.
    link->marked = link->taken;
  }
}

void AgentLinks::storeSwapped() {
  for (const auto& [uuid, link] : links_) {
    link->writer.redeclare();
    if (link->connection) link->connection->end("another store serves");
    resume(*link);
    link->nudged = true;
  }
}

bool AgentLinks::instruct(Uuid vm) {
  const auto found = links_.find(vm);
  if (found == links_.end()) return false;
  const auto& connection = found->second->connection;
  if (!connection || connection->ended || !connection->session.connected()) return false;
  greet(*found->second);
  return true;
}

AgentLink AgentLinks::view(Uuid vm) const {
  const auto found = links_.find(vm);
  if (found != links_.end()) return found->second->view;
  AgentLink unknown;
  unknown.reason = "the VM is not on this host";
  return unknown;
}

AgentTotals AgentLinks::totals() const {
  AgentTotals totals = past_;
  for (const auto& [uuid, link] : links_) {
    totals.connected += link->view.state == AgentLink::State::connected;
    totals.echoes += link->view.echoes;
    totals.duplicates += link->view.duplicates;
    totals.lost += link->view.lost;
    totals.faults += link->view.faults;
  }
  return totals;
}

asio::awaitable<Result<std::uint64_t>> AgentLinks::load(Uuid vm, echo::Load order,
                                                        Millis deadline) {
  const auto found = links_.find(vm);
  if (found == links_.end()) co_return fail(Code::not_found, "the VM is not on this host");
  const auto connection = found->second->connection;
  if (!connection || !connection->session.connected())
    co_return fail(Code::unreachable, "no agent is connected: " + found->second->view.reason);
  if (connection->loads.size() >= kMaxPendingLoads)
    co_return fail(Code::busy, "the agent has not answered earlier orders");

  order.id = ++last_load_;
  const auto pending = std::make_shared<PendingLoad>(loop_);
  connection->loads[order.id] = pending;
  connection->put(echo::encode(order));
  pending->answered.expires_after(deadline);
  boost::system::error_code ignored;
  if (!pending->link_ended)
    co_await pending->answered.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  connection->loads.erase(order.id);
  if (!pending->state && pending->link_ended)
    co_return fail(Code::unreachable, "the link to the agent ended before it answered");
  if (!pending->state) co_return fail(Code::timeout, "the agent did not answer in time");
  if (!pending->state->accepted)
    co_return fail(Code::refused, "the guest refused: " + printable(pending->state->reason));
  co_return order.id;
}

asio::awaitable<void> AgentLinks::stop() {
  for (const auto& [uuid, link] : links_) {
    link->listed = link->wanted = false;
    disconnect(*link);
  }
  tasks_.cancel();
  co_await tasks_.join();
}

void AgentLinks::event(const Link& link, Severity severity, std::string kind, std::string message) {
  report_({.id = 0,
           .time = clock_.wall(),
           .severity = severity,
           .kind = std::move(kind),
           .entity = link.vm,
           .message = printable(link.name) + ": " + message,
           .fields = {{"agent_version", link.view.agent_version}}});
}

}  // namespace virtseer::collect

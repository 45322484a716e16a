#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/text.h"
#include "collect/agent_link.h"

namespace virtseer::collect {

namespace asio = boost::asio;

namespace {

/// A link that is back within this time was never reported lost: migrations and restarts take less.
constexpr Millis kGrace{10'000};
/// The same complaint about a guest is reported once in this time.
constexpr Millis kComplaintEvery{3'600'000};
/// A guest of another protocol is asked again this often: its agent may have been updated.
constexpr Millis kRefusedPause{60'000};

}  // namespace

/// Runs while the VM is listed and wanted at all; begun again by setVms(). A fault of the daemon in
/// the middle ends the attempt, not the link.
asio::awaitable<void> AgentLinks::serve(LinkPtr link) {
  // Whatever ends this coroutine, setVms() may begin it again.
  struct Serving {
    Link& served;
    ~Serving() { served.serving = false; }
  } const serving{*link};
  while (link->wanted) {
    std::string failure;
    Millis span{0};
    try {
      span = co_await attempt(link);
    } catch (const std::exception& thrown) {
      failure = thrown.what();
    }
    link->connection.reset();
    if (!link->wanted) break;
    if (!failure.empty()) {
      ++past_.failures;
      link->view.reason = "the link failed inside the daemon: " + printable(failure);
      complain(*link, Severity::error, "agent.failed", link->view.reason);
      span = link->backoff.next();
    }
    lost(*link, link->view.reason);
    co_await pause(link, span);
  }
}

/// Gets a channel and talks until it ends; how long to pause then.
asio::awaitable<Millis> AgentLinks::attempt(LinkPtr link) {
  link->nudged = false;
  if (link->view.state != AgentLink::State::refused)
    link->view.state = AgentLink::State::connecting;
  auto channel = co_await channelFor(link);
  if (!link->wanted) co_return Millis(0);
  if (!channel) {
    link->view.reason = channel.error().message;
    co_return link->backoff.next();
  }
  co_await talk(link, std::move(*channel));
  const auto& ended = *link->connection;
  if (ended.answered && !ended.stalled) link->backoff.reset();
  // A guest that behaved for as long as the longest pause has come to reason.
  if (ended.answered && clock_.mono() - *ended.answered > options_.max_penalty)
    link->penalties.reset();
  const Millis span = ended.refused   ? std::min(kRefusedPause, options_.max_penalty)
                      : ended.penalty ? link->penalties.next()
                                      : link->backoff.next();
  if (ended.refused || ended.penalty || ended.stalled) link->barred_until = clock_.mono() + span;
  co_return span;
}

/// The channel of the agent's call, or else the VM's own.
asio::awaitable<Result<std::unique_ptr<platform::Channel>>> AgentLinks::channelFor(LinkPtr link) {
  if (link->offered) co_return std::move(link->offered);
  if (!link->has_channel) {
    // Once it was told to be lost, nothing is done before it calls again.
    if (!link->announced) {
      link->called = link->wanted = false;
      link->view.state = AgentLink::State::absent;
    }
    co_return fail(Code::unreachable, link->view.reason);
  }
  auto opened = co_await link->environment->openChannel(link->vm, std::string(echo::kChannelName));
  if (link->offered) co_return std::move(link->offered);
  link->view.caller.clear();
  if (!opened)
    co_return fail(opened.error().code,
                   "the channel does not open: " + printable(opened.error().message));
  co_return std::move(*opened);
}

/// Ends early when nudged or no longer wanted.
asio::awaitable<void> AgentLinks::pause(LinkPtr link, Millis span) {
  link->wake.expires_after(span);
  if (link->nudged || !link->wanted) co_return;
  boost::system::error_code ignored;
  co_await link->wake.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

/// One channel from opening to its end. `link->connection` stays for the caller to read.
asio::awaitable<void> AgentLinks::talk(LinkPtr link, std::unique_ptr<platform::Channel> channel) {
  const auto connection = std::make_shared<Connection>(
      loop_, std::move(channel), EchoSession(options_.limits, link->position, link->unanswered));
  link->connection = connection;
  link->view.reason = "waiting for the agent in the guest to answer";
  // Whatever ends this coroutine ends the sender too.
  struct Ender {
    Connection& connection;
    ~Ender() { connection.end("shutting down"); }
  } const ender{*connection};
  tasks_.spawn("agent sender of " + printable(link->name), send(link, connection));
  greet(*link);
  while (!connection->ended) {
    auto bytes = co_await connection->channel->read();
    if (connection->ended) break;
    if (!bytes) {
      connection->end("the channel ended: " + printable(bytes.error().message));
      break;
    }
    const auto before = connection->session.counters();
    auto outcomes = connection->session.receive(*bytes, clock_.wall(), clock_.mono());
    link->position = connection->session.position();
    count(*link, before);
    for (auto& outcome : outcomes) {
      if (!connection->ended) take(*link, std::move(outcome));
    }
    // A guest that never pauses must not hold up the loop.
    co_await asio::post(loop_, asio::use_awaitable);
  }
  if (!connection->reason.empty()) link->view.reason = connection->reason;
}

/// Writes what waits, looks after silence.
asio::awaitable<void> AgentLinks::send(LinkPtr link, ConnectionPtr connection) {
  // Whatever ends this coroutine ends the reader too.
  struct Ender {
    Connection& connection;
    ~Ender() { connection.end("writing to the channel ended"); }
  } const ender{*connection};
  while (!connection->ended) {
    if (!connection->outbox.empty()) {
      const auto wrote = co_await connection->channel->write(std::exchange(connection->outbox, {}));
      if (!wrote)
        connection->end("writing to the channel failed: " + printable(wrote.error().message));
      continue;
    }
    const auto check = connection->session.nextCheck();
    if (check == EchoSession::Instant::max())
      connection->wake.expires_at(check);
    else
      connection->wake.expires_after(check - clock_.mono());
    boost::system::error_code ignored;
    co_await connection->wake.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (connection->ended) break;
    if (const auto again = connection->session.tick(clock_.mono())) {
      link->view.reason = again->reason;
      lost(*link, again->reason);
      if (again->anew) {
        link->unanswered = connection->session.unanswered();
        connection->end(again->reason);
      } else {
        greet(*link);
      }
    }
  }
}

void AgentLinks::greet(Link& link) {
  const auto settings = options_.instructions ? options_.instructions(link.vm) : options_.settings;
  link.connection->put(link.connection->session.start(
      random_() | 1, link.committed.epoch, link.committed.sequence, settings, clock_.mono()));
}

void AgentLinks::take(Link& link, EchoOutcome outcome) {
  if (const auto* connected = std::get_if<EchoConnected>(&outcome))
    takeConnected(link, connected->hello);
  else if (auto* row = std::get_if<EchoRow>(&outcome))
    takeRow(link, std::move(*row));
  else if (const auto* state = std::get_if<echo::LoadState>(&outcome))
    takeLoadState(link, *state);
  else if (auto* sources = std::get_if<echo::Sources>(&outcome))
    link.view.sources = std::move(sources->states);
  else if (std::holds_alternative<EchoGreetAgain>(outcome))
    greet(link);
  else if (const auto* close = std::get_if<EchoClose>(&outcome))
    takeClose(link, *close);
  else if (const auto* early = std::get_if<EchoTooEarly>(&outcome))
    takeTooEarly(link, *early);
}

void AgentLinks::takeConnected(Link& link, const echo::Hello& hello) {
  const bool restarted = link.announced && link.view.epoch != hello.epoch;
  link.writer.redeclare();
  link.news.greeted(hello.epoch, hello.next_sequence);
  if (!link.connection->answered) link.connection->answered = clock_.mono();
  link.unanswered = 0;
  link.view.state = AgentLink::State::connected;
  link.view.reason.clear();
  link.view.agent_version = hello.agent_version;
  link.view.role = hello.role;
  link.view.epoch = hello.epoch;
  link.view.sequence = link.taken.epoch == hello.epoch ? link.taken.sequence : 0;
  link.view.interval_ms = hello.interval_ms;
  link.view.sources = hello.sources;
  if (!link.announced)
    event(link, Severity::info, "agent.connected",
          "agent " + hello.agent_version + " connected" +
              (link.view.caller.empty() ? "" : " from " + link.view.caller));
  else if (restarted)
    event(link, Severity::info, "agent.restarted",
          "agent " + hello.agent_version + " was restarted");
  link.announced = true;
}

void AgentLinks::takeRow(Link& link, EchoRow row) {
  const auto reached = link.position;
  link.rewindBefore(row.sequence);  // it stays so if this throws
  if (reports_.room && !row.happenings.empty() && !reports_.room(row.happenings.size()))
    return stall(link, "events cannot be written: the agent keeps its echoes");
  const auto refused = link.writer.refused();
  const auto fate = link.writer.append(row.time, link.connection->session.columns(), row.values);
  past_.counts.refused_values += link.writer.refused() - refused;
  if (!fate)
    return stall(link, "the store does not take echoes: " + printable(fate.error().message));
  if (*fate == store::Appended::overflow)
    return stall(link, "the store has no room: the agent keeps its echoes");
  link.position = reached;
  if (*fate == store::Appended::late) {
    ++past_.counts.late_rows;
    ++link.view.lost;
  } else {
    link.last = row.time;
    link.taken = {link.view.epoch, row.sequence};
    link.view.sequence = row.sequence;
    link.view.last_echo = row.time;
    ++link.view.echoes;
  }
  takeReport(link, std::move(row));
}

/// The echo comes again when the link is opened anew.
void AgentLinks::stall(Link& link, std::string why) {
  ++past_.counts.overflow_rows;
  link.connection->stalled = true;
  link.connection->end(std::move(why));
}

void AgentLinks::takeReport(Link& link, EchoRow row) {
  const auto taken = link.news.taken(), dropped = link.news.dropped();
  auto events = link.news.events(link.vm, {link.view.epoch, row.sequence}, row.time,
                                 std::move(row.happenings));
  past_.happenings += link.news.taken() - taken;
  past_.happenings_dropped += link.news.dropped() - dropped;
  if (reports_.happened)
    for (auto& event : events) reports_.happened(std::move(event));
  if (reports_.tables && !row.tables.empty())
    reports_.tables(link.vm, row.time, std::move(row.tables));
}

void AgentLinks::takeLoadState(Link& link, const echo::LoadState& state) {
  const auto found = link.connection->loads.find(state.id);
  if (found == link.connection->loads.end()) return;
  found->second->state = state;
  found->second->answered.cancel();
}

void AgentLinks::takeClose(Link& link, const EchoClose& close) {
  link.connection->refused = close.refused;
  link.connection->penalty = !close.refused;
  link.connection->end("closed: " + close.reason);
  link.view.reason = link.connection->reason;
  link.view.state = AgentLink::State::refused;
  complain(link, Severity::warning, close.refused ? "agent.refused" : "agent.closed", close.reason);
}

void AgentLinks::takeTooEarly(Link& link, const EchoTooEarly& early) {
  ++past_.counts.late_rows;
  link.connection->stalled = true;
  link.connection->end("the wall clock was set back: nothing can be stored until " +
                       rfc3339(early.last));
  if (auto event = step_back_.refused("echoes of guests", std::nullopt, early.last, clock_.wall()))
    report_(std::move(*event));
}

void AgentLinks::complain(Link& link, Severity severity, std::string kind,
                          const std::string& what) {
  const auto now = clock_.mono();
  if (link.complaint == what && now - link.complained < kComplaintEvery) return;
  link.complaint = what;
  link.complained = now;
  event(link, severity, std::move(kind), what);
}

void AgentLinks::count(Link& link, const EchoCounters& before) {
  const auto& now = link.connection->session.counters();
  link.view.duplicates += now.duplicates - before.duplicates;
  link.view.lost += now.lost - before.lost;
  link.view.faults += now.faults - before.faults;
  past_.elsewhere += now.elsewhere - before.elsewhere;
}

/// Called when a link ended, and again while the agent stays away: says so once that took longer
/// than a migration does.
void AgentLinks::lost(Link& link, const std::string& reason) {
  const auto now = clock_.mono();
  if (link.view.state == AgentLink::State::connected) {
    link.view.state = AgentLink::State::connecting;
    link.lost_since = now;
  }
  if (!link.announced || now - link.lost_since < kGrace) return;
  link.announced = false;
  event(link, Severity::warning, "agent.lost", "the agent is gone: " + reason);
}

}  // namespace virtseer::collect

#pragma once

#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "collect/agent_links.h"
#include "collect/backoff.h"
#include "collect/guest_report.h"
#include "collect/stream_writer.h"

/// What AgentLinks keeps of each VM; private to agent_links*.cc.
namespace virtseer::collect {

/// Waits for the answer to one load order.
struct PendingLoad {
  explicit PendingLoad(const boost::asio::any_io_executor& loop) : answered(loop) {}
  boost::asio::steady_timer answered;  ///< expires at the deadline, cancelled by the answer
  std::optional<echo::LoadState> state;
  bool link_ended = false;
};

/// One open channel and the conversation on it.
struct AgentLinks::Connection {
  Connection(const boost::asio::any_io_executor& loop, std::unique_ptr<platform::Channel> opened,
             EchoSession the_session)
      : channel(std::move(opened)), session(std::move(the_session)), wake(loop) {}

  /// More than an agent's share of acks and orders waits to be read by the guest.
  static constexpr std::size_t kMaxOutbox = 256 * 1024;

  std::unique_ptr<platform::Channel> channel;
  EchoSession session;
  std::string outbox;
  boost::asio::steady_timer wake;  ///< for the sender: bytes to write, or the session wants a look
  bool ended = false;
  std::string reason;    ///< why it ended, if we know better than the channel
  bool penalty = false;  ///< ended for floods or garbage
  bool refused = false;  ///< ended for another protocol
  bool stalled = false;  ///< ended since rows cannot be stored now: the agent is to keep them
  std::optional<std::chrono::steady_clock::time_point> answered;  ///< when a Hello came
  std::map<std::uint64_t, std::shared_ptr<PendingLoad>> loads;

  void put(std::string bytes) {
    if (outbox.size() + bytes.size() > kMaxOutbox) return end("the guest does not read");
    outbox += bytes;
    wake.cancel();
  }
  void end(std::string why) {
    if (ended) return;
    ended = true;
    reason = std::move(why);
    channel->close();
    wake.cancel();
    for (const auto& [id, load] : loads) {
      load->link_ended = true;
      load->answered.cancel();
    }
  }
};

struct AgentLinks::Link {
  Link(const boost::asio::any_io_executor& loop, const AgentLinksOptions& options,
       const RowSink& rows, Uuid uuid)
      : vm(uuid),
        wake(loop),
        writer(rows, {uuid, Source::guest}),
        backoff(options.first_retry, options.retry, options.max_retry),
        penalties(options.max_retry, options.max_retry, options.max_penalty) {}

  Uuid vm;
  std::string name;
  platform::Environment* environment = nullptr;
  bool listed = true;  ///< its environment names it
  bool runs = false;   ///< as its environment says
  bool has_channel = false;
  bool called = false;  ///< its agent called since it runs: it may call again
  std::unique_ptr<platform::Channel> offered;            ///< of a call that is not served yet
  std::chrono::steady_clock::time_point barred_until{};  ///< calls are refused
  bool wanted = false;                                   ///< it runs, and has the channel or called
  bool serving = false;                                  ///< serve() runs
  bool nudged = false;                                   ///< the next pause is skipped
  std::string idle;                                      ///< why it is not wanted, for a person
  boost::asio::steady_timer wake;
  StreamWriter writer;
  Backoff backoff;
  Backoff penalties;
  unsigned unanswered = 0;  ///< greetings in a row
  EchoPosition position;
  EchoMark taken, marked, committed;
  GuestNews news;
  std::optional<Timestamp> last;  ///< time of the stream's last row that was taken
  ConnectionPtr connection;
  AgentLink view;
  bool announced = false;  ///< agent.connected was reported, agent.lost not yet
  std::string complaint;   ///< the last agent.refused, agent.closed or agent.failed
  std::chrono::steady_clock::time_point complained{};
  std::chrono::steady_clock::time_point lost_since{};

  /// The echo was received but is not stored: it, and what follows, is to come again.
  void rewindBefore(std::uint64_t sequence) {
    position.sequence = sequence - 1;
    position.asked = 0;
    position.last = last;
  }

  void moveTo(const EchoPosition& stored) {
    position = stored;
    last = stored.last;
    taken = marked = committed = {stored.epoch, stored.sequence};
  }
};

}  // namespace virtseer::collect

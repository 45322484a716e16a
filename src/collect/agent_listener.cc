#include "collect/agent_listener.h"

#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <stdexcept>

#include "base/log.h"
#include "base/text.h"
#include "collect/agent_tokens.h"
#include "virtseer/echo/codec.h"

namespace virtseer::collect {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

/// More than any login is long.
constexpr std::size_t kMaxLoginBytes = 1024;
/// Calls taken before others get their turn on the loop.
constexpr int kCallsPerTurn = 16;
constexpr Millis kNoDescriptorPause{1000};
constexpr Millis kTokenDeadline{5000};
/// The same address is told of once in this time.
constexpr Millis kToldEvery{3'600'000};
constexpr std::size_t kMostTold = 1024;

asio::awaitable<void> pause(Millis span) {
  asio::steady_timer timer(co_await asio::this_coro::executor, span);
  co_await timer.async_wait(asio::use_awaitable);
}

void wipe(std::string& secret) {
  ::explicit_bzero(secret.data(), secret.size());
}

}  // namespace

/// Counts one client for as long as its socket is there.
struct AgentListener::Ticket {
  std::shared_ptr<CallerLimits> limits;
  ~Ticket() { limits->leave(); }
};

AgentListener::AgentListener(asio::any_io_executor loop, const Clock& clock,
                             AgentListenerOptions options, Callbacks callbacks)
    : loop_(loop),
      clock_(clock),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      limits_(std::make_shared<CallerLimits>(options_.limits)),
      files_(loop, "vs-logins", {.threads = 1, .queue = 256, .abandoned = 1}),
      tasks_(loop, [this](const std::string& task, const std::string& what) {
        ++counts_.failed;
        log(Level::error, task + " ended: " + what);
      }) {}

AgentListener::~AgentListener() = default;

Result<void> AgentListener::start() {
  if (!options_.tls.empty()) {
    auto identity = loadTlsIdentity(options_.certificate, options_.key);
    if (!identity) return fail(identity.error());
    identity_ = std::move(*identity);
    auto door = openTlsDoor(loop_, options_.tls);
    if (!door) return fail(door.error());
    admit(std::move(*door));
    tasks_.spawn("renewal of the certificate for agents", renew());
  }
  if (options_.vsock_port != 0 && !openVsock()) tasks_.spawn("a vsock port", awaitVsock());
  return {};
}

bool AgentListener::openVsock() {
  auto door = openVsockDoor(loop_, options_.vsock_port);
  if (!door) {
    if (vsock_fault_ != door.error().message) log(Level::warning, door.error().message);
    vsock_fault_ = door.error().message;
    return false;
  }
  if (!vsock_fault_.empty())
    log(Level::info, fmt::format("agents can call by vsock port {} now", options_.vsock_port));
  vsock_fault_.clear();
  admit(std::move(*door));
  return true;
}

asio::awaitable<void> AgentListener::awaitVsock() {
  do co_await pause(options_.vsock_retry);
  while (!openVsock());
}

std::vector<std::string> AgentListener::faults() const {
  if (vsock_fault_.empty()) return {};
  return {vsock_fault_ + "; agents that call by vsock are not heard, it is tried every 30 s"};
}

void AgentListener::admit(AgentDoor door) {
  tasks_.spawn("agents that call", accept(std::make_shared<AgentDoor>(std::move(door))));
}

asio::awaitable<void> AgentListener::stop() {
  tasks_.cancel();
  co_await tasks_.join();
  files_.close();
}

CallCounts AgentListener::counts() const {
  CallCounts counts = counts_;
  counts.clients = limits_->clients();
  return counts;
}

/// A certificate that was renewed is used without a restart.
asio::awaitable<void> AgentListener::renew() {
  for (;;) {
    co_await pause(options_.renewal);
    auto identity = co_await files_.run(
        "the certificate for agents", kTokenDeadline,
        [options = options_] { return loadTlsIdentity(options.certificate, options.key); });
    if (identity)
      identity_ = std::move(*identity);
    else
      log(Level::warning,
          "the certificate for agents stays as it was: " + identity.error().message);
  }
}

asio::awaitable<void> AgentListener::accept(std::shared_ptr<AgentDoor> door) {
  for (;;) {
    boost::system::error_code failed;
    co_await door->socket.async_wait(asio::posix::stream_descriptor::wait_read,
                                     asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted) co_return;
    if (failed) {
      log(Level::warning, "agents that call have to wait: " + failed.message());
      co_await pause(kNoDescriptorPause);
      continue;
    }
    for (int i = 0; i < kCallsPerTurn; ++i) {
      auto caller = takeCaller(*door);
      if (!caller) {
        log(Level::warning, "an agent that calls has to wait: " + caller.error().message);
        co_await pause(kNoDescriptorPause);
        break;
      }
      if (!*caller) break;
      auto& [socket, address, network] = **caller;
      Origin origin{address, limits_->origin(address, network)};
      if (limits_->admit(origin.counted_by, clock_.mono()) == CallerLimits::Verdict::welcome)
        tasks_.spawn("call of an agent", receive(door->kind, std::move(socket), std::move(origin)));
      else
        ++counts_.turned_away;
    }
  }
}

asio::awaitable<void> AgentListener::receive(AgentDoor::Kind kind, Descriptor fd, Origin origin) {
  struct Pending {
    std::shared_ptr<CallerLimits> limits;
    std::string origin;
    ~Pending() { limits->settle(origin); }
  } const pending{limits_, origin.counted_by};
  auto ticket = std::make_shared<Ticket>(limits_);
  std::unique_ptr<AcceptedSocket> socket;
  if (kind == AgentDoor::Kind::tls) {
    auto made = tlsSocket(loop_, std::move(fd), *identity_);
    if (!made) throw std::runtime_error(made.error().message);
    socket = std::move(*made);
  } else {
    socket = std::make_unique<AcceptedSocket>(loop_, std::move(fd));
  }
  socket->hold(std::move(ticket));

  auto greeted = co_await (greet(*socket) || pause(options_.login_deadline));
  auto* login = std::get_if<0>(&greeted);
  if (!login || !*login) {
    ++counts_.failed;
    offend(origin);
    log(Level::debug, "an agent called from " + origin.address + ": " +
                          (login ? login->error().message : "no login in time"));
    co_return;
  }
  const auto vm = co_await check(origin, std::move(**login));
  if (!vm) co_return;
  limits_->prove(*vm, origin.address);
  const auto taken = callbacks_.offer(*vm, std::move(socket), origin.address);
  ++(taken ? counts_.accepted : counts_.failed);
  if (!taken)
    log(Level::debug, "an agent called from " + origin.address + ": " + taken.error().message);
}

/// What must come before all else on a connection.
asio::awaitable<Result<echo::Login>> AgentListener::greet(AcceptedSocket& socket) {
  const auto secured = co_await socket.secure();
  if (!secured) co_return fail(secured.error());
  echo::FrameReader reader;
  for (std::size_t got = 0; got <= kMaxLoginBytes && reader.faults() == 0;) {
    auto bytes = co_await socket.read();
    if (!bytes) co_return fail(bytes.error());
    got += bytes->size();
    reader.feed(*bytes);
    wipe(*bytes);
    const auto frame = reader.next();
    if (!frame) continue;
    if (frame->type != echo::FrameType::login) break;
    auto login = echo::decodeLogin(frame->body);
    if (!login) break;
    co_return std::move(*login);
  }
  co_return fail(Code::invalid, "it sent something else than a login");
}

asio::awaitable<Result<Uuid>> AgentListener::check(const Origin& origin, echo::Login login) {
  const auto vm = Uuid::parse(login.vm);
  Result<std::string> token = fail(Code::not_found, "no UUID");
  if (vm)
    token = co_await files_.run("token of a VM", kTokenDeadline, [folder = options_.tokens, vm] {
      return readAgentToken(folder, *vm);
    });
  const bool right = token && sameSecret(*token, login.token);
  wipe(login.token);
  if (token) wipe(*token);
  if (right) co_return *vm;
  const bool none = !token && token.error().code == Code::not_found;
  if (vm && none && callbacks_.awaits_token && callbacks_.awaits_token(*vm)) {
    ++counts_.failed;
    co_return fail(Code::busy, "the token of VM " + vm->text() + " has not come after it yet");
  }
  const bool known = !none;
  const std::string why = token ? "the token is wrong" : token.error().message;
  if (token || !known) offend(origin);  // of a file that cannot be read no caller is guilty
  ++counts_.denied;
  deny(origin, known ? vm : std::nullopt, "VM " + printable(login.vm) + ": " + why);
  co_return fail(Code::refused, why);
}

void AgentListener::offend(const Origin& origin) {
  limits_->offend(origin.counted_by, clock_.mono());
}

void AgentListener::deny(const Origin& origin, std::optional<Uuid> vm, const std::string& what) {
  const auto now = clock_.mono();
  std::erase_if(told_, [&](const auto& entry) { return now - entry.second >= kToldEvery; });
  if (told_.size() >= kMostTold || !told_.emplace(origin.counted_by, now).second) return;
  callbacks_.report(
      {.id = 0,
       .time = clock_.wall(),
       .severity = Severity::warning,
       .kind = "agent.denied",
       .entity = vm,
       .message = "an agent that called from " + origin.address + " was refused: " + what,
       .fields = {{"address", origin.address}}});
}

}  // namespace virtseer::collect

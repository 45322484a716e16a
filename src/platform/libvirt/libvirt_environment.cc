#include "platform/libvirt/libvirt_environment.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "platform/libvirt/errors.h"
#include "platform/libvirt/guest_facts.h"

namespace virtseer::platform {

namespace asio = boost::asio;

namespace {

constexpr Millis kFirstBackoff{500};
constexpr Millis kLongestBackoff{10'000};
/// A connection that held this long makes the next back-off short again.
constexpr Millis kStable{10'000};
/// For one command of a qemu-guest-agent, and for all that one question to it takes.
constexpr std::chrono::seconds kGuestAnswers{2};
constexpr Millis kGuestQuestion{20'000};

}  // namespace

std::unique_ptr<Environment> libvirtEnvironment(asio::any_io_executor loop,
                                                LibvirtOptions options) {
  return std::make_unique<LibvirtEnvironment>(std::move(loop), std::move(options));
}

LibvirtEnvironment::LibvirtEnvironment(asio::any_io_executor loop, LibvirtOptions options)
    : loop_(loop),
      options_(std::move(options)),
      events_(EventThread::shared()),
      gate_(std::make_shared<LoopGate>(loop)),
      sink_(std::make_shared<NoticeSink>(gate_)),
      facts_(std::make_shared<FactsCache>()),
      reader_(std::make_shared<StatisticsReader>()),
      source_{options_.uri, events_, closer_.core()},
      sessions_(loop, "virt-session", {1, 4, 2}),
      reading_(loop, source_, "virt-reading", 2, Connection::Access::read_only),
      channels_(loop, "virt-channels", {2, 4096, 4}),
      writers_(loop, "virt-writers", {2, 4096, 16}),
      tuning_(loop, source_, "virt-tuning", 1, Connection::Access::full),
      guest_agents_(loop, source_, "virt-guests", 2, Connection::Access::full),
      session_ended_(loop, asio::steady_timer::time_point::max()),
      acting_(loop, source_, status_, options_.call_deadline, options_.disk_locks) {
  status_.uri = options_.uri;
  status_.error = "not connected yet";
  acting_.onChanged([this](const Uuid& vm) {
    facts_->forget(vm);
    if (receiver_ && status_.connected)
      receiver_({Notice::Kind::vm_changed, vm, "", "enrolled", ""});
  });
  sink_->setReceiver(
      {[this](std::uint64_t session, const Notice& notice) { receive(session, notice); },
       [this](std::uint64_t session, std::string why) { onClosed(session, std::move(why)); }});
}

LibvirtEnvironment::~LibvirtEnvironment() {
  sink_->setReceiver({});
  gate_->shut();
}

template <class Job>
asio::awaitable<std::invoke_result_t<Job&, const std::shared_ptr<Connection>&>>
LibvirtEnvironment::call(Lane* lane, std::string what, Job job, Millis deadline) {
  if (!status_.connected) co_return fail(Code::unreachable, what + ": " + status_.error);
  co_return co_await lane->call(std::move(what), std::max(deadline, options_.call_deadline),
                                std::move(job));
}

asio::awaitable<Result<LibvirtEnvironment::Session>> LibvirtEnvironment::connect() {
  const auto number = ++last_session_;
  auto job = [source = source_, sink = sink_, number]() -> Result<Session> {
    auto connection = source.open(Connection::Access::read_only);
    if (!connection) return fail(connection.error());
    const bool notices = subscribe(**connection, number, sink);
    return Session{number, *connection, probeCapabilities(**connection, notices)};
  };
  co_return co_await sessions_.run("connect to " + options_.uri, options_.call_deadline,
                                   std::move(job));
}

asio::awaitable<void> LibvirtEnvironment::run() {
  auto backoff = kFirstBackoff;
  for (;;) {
    auto opened = co_await connect();
    if (opened) {
      const auto begun = options_.clock->mono();
      const auto number = opened->number;
      begin(std::move(*opened));
      co_await waitForEnd(number);
      end(closed_reason_);
      if (options_.clock->mono() - begun >= kStable) backoff = kFirstBackoff;
    } else {
      status_.error = opened.error().message;
      tellDisconnected(status_.error);
    }
    asio::steady_timer pause(loop_, backoff);
    co_await pause.async_wait(asio::use_awaitable);
    backoff = std::min(backoff * 2, kLongestBackoff);
  }
}

void LibvirtEnvironment::begin(Session session) {
  session_ = std::move(session);
  capabilities_ = session_.capabilities;
  facts_->forgetAll();
  if (session_.number > 1 && status_.since) ++status_.reconnects;
  status_.connected = true;
  status_.error.clear();
  status_.since = options_.clock->wall();
  told_ = false;
  if (receiver_) receiver_({Notice::Kind::connected, std::nullopt, "", "", ""});
}

asio::awaitable<void> LibvirtEnvironment::waitForEnd(std::uint64_t session) {
  while (closed_session_ < session) {
    boost::system::error_code ignored;
    co_await session_ended_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

void LibvirtEnvironment::end(std::string why) {
  session_ = {};
  reading_.renew();
  tuning_.renew();
  guest_agents_.renew();
  acting_.renew();
  status_.connected = false;
  status_.error = why;
  tellDisconnected(std::move(why));
}

/// Once per outage: also for one that lasts since the start.
void LibvirtEnvironment::tellDisconnected(std::string why) {
  if (std::exchange(told_, true)) return;
  if (receiver_) receiver_({Notice::Kind::disconnected, std::nullopt, "", std::move(why), ""});
}

void LibvirtEnvironment::onClosed(std::uint64_t session, std::string why) {
  if (session <= closed_session_) return;
  closed_session_ = session;
  closed_reason_ = std::move(why);
  session_ended_.cancel();
}

void LibvirtEnvironment::receive(std::uint64_t session, const Notice& notice) {
  if (session != session_.number || !status_.connected) return;
  switch (notice.kind) {
    case Notice::Kind::vm_changed:
    case Notice::Kind::vm_lifecycle:
      facts_->forget(*notice.vm);
      break;
    case Notice::Kind::connected:
      facts_->forgetAll();
      break;
    case Notice::Kind::job_completed:
      acting_.jobCompleted(notice);
      break;
    default:
      break;
  }
  if (receiver_) receiver_(notice);
}

void LibvirtEnvironment::onNotice(std::function<void(const Notice&)> receiver) {
  receiver_ = std::move(receiver);
}

Environment::Status LibvirtEnvironment::status() const {
  auto out = status_;
  if (!out.connected) out.since.reset();
  for (const auto& counts :
       {sessions_.counts(), reading_.pool().counts(), tuning_.pool().counts(),
        guest_agents_.pool().counts(), channels_.counts(), writers_.counts(), acting_.counts()}) {
    out.calls_timed_out += counts.abandoned_total;
    out.calls_stuck += counts.abandoned;
  }
  return out;
}

std::optional<std::chrono::steady_clock::time_point> LibvirtEnvironment::eventThreadTick() const {
  return events_->tick();
}

asio::awaitable<Result<std::vector<Vm>>> LibvirtEnvironment::vms() {
  return call(&reading_, "list the VMs",
              [uri = options_.uri, facts = facts_](const std::shared_ptr<Connection>& connection) {
                return listVms(*connection, uri, *facts);
              });
}

asio::awaitable<Result<std::vector<VmStatistics>>> LibvirtEnvironment::statistics() {
  return call(&reading_, "statistics",
              [reader = reader_](const std::shared_ptr<Connection>& connection) {
                return reader->read(*connection);
              });
}

asio::awaitable<Result<HostFacts>> LibvirtEnvironment::hostFacts() {
  return call(&reading_, "host facts", [](const std::shared_ptr<Connection>& connection) {
    return readHostFacts(*connection);
  });
}

asio::awaitable<Result<std::unique_ptr<Channel>>> LibvirtEnvironment::openChannel(
    Uuid vm, std::string name) {
  const auto what = "channel of VM " + vm.text();
  if (!status_.connected) co_return fail(Code::unreachable, what + ": " + status_.error);
  auto inbox = std::make_shared<Inbox>(loop_);
  auto job = [vm, name, source = source_, gate = gate_,
              inbox = std::weak_ptr(inbox)]() -> Result<std::shared_ptr<ChannelHandle>> {
    auto connection = source.open(Connection::Access::full);
    if (!connection) return fail(connection.error());
    auto native = NativeChannel::open(std::move(*connection), vm, name, gate, inbox);
    if (!native) return fail(native.error());
    return std::make_shared<ChannelHandle>(std::move(*native));
  };
  auto handle = co_await channels_.run(what, options_.call_deadline, std::move(job));
  if (!handle) co_return fail(handle.error());
  co_return std::make_unique<LibvirtChannel>(std::move(*handle), std::move(inbox), writers_,
                                             options_.call_deadline);
}

asio::awaitable<Result<void>> LibvirtEnvironment::setBalloonPeriod(Uuid vm,
                                                                   std::chrono::seconds period) {
  auto job = [vm, period](const std::shared_ptr<Connection>& connection) -> Result<void> {
    const auto domain = findDomain(*connection, vm);
    if (!domain) return fail(domain.error());
    // The running VM only: the definition is its owner's.
    if (virDomainSetMemoryStatsPeriod(domain->get(), static_cast<int>(period.count()),
                                      VIR_DOMAIN_AFFECT_LIVE) < 0)
      return fail(lastError("set the balloon's period", connection->get()));
    return {};
  };
  auto done = co_await call(&tuning_, "VM " + vm.text(), std::move(job));
  if (done) facts_->forget(vm);  // no event tells of it
  co_return done;
}

asio::awaitable<Result<GuestAnswer>> LibvirtEnvironment::guestFacts(Uuid vm) {
  if (!asked_guests_.insert(vm).second)
    co_return fail(Code::busy, "the VM's qemu-guest-agent is being asked already");
  struct Asked {
    std::set<Uuid>& all;
    Uuid vm;
    ~Asked() { all.erase(vm); }
  } const asked{asked_guests_, vm};
  co_return co_await call(
      &guest_agents_, "guest of VM " + vm.text(),
      [vm](const std::shared_ptr<Connection>& connection) {
        return guestFactsOf(*connection, vm, kGuestAnswers);
      },
      kGuestQuestion);
}

asio::awaitable<Result<void>> LibvirtEnvironment::measureDirtyRate(Uuid vm,
                                                                   std::chrono::seconds span) {
  return call(&tuning_, "dirty rate of VM " + vm.text(),
              [vm, span](const std::shared_ptr<Connection>& connection) {
                return beginDirtyRate(*connection, vm, span);
              });
}

asio::awaitable<Result<std::optional<double>>> LibvirtEnvironment::dirtyRate(Uuid vm) {
  return call(
      &reading_, "dirty rate of VM " + vm.text(),
      [vm](const std::shared_ptr<Connection>& connection) { return dirtyRateOf(*connection, vm); });
}

}  // namespace virtseer::platform

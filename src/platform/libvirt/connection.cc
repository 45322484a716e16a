#include "platform/libvirt/connection.h"

#include "platform/libvirt/errors.h"

namespace virtseer::platform {

namespace {

/// A peer that is silent for 5 s is asked; after 3 questions without an answer the connection ends.
constexpr int kKeepAliveSeconds = 5;
constexpr unsigned kKeepAliveQuestions = 3;

constexpr std::string_view kCloseReasons[] = {
    "the connection broke", "libvirt closed the connection", "libvirt does not answer keepalives",
    "closed"};  // in the order of virConnectCloseReason

void onClose(virConnectPtr, int reason, void* opaque) noexcept {
  const auto known = reason >= 0 && static_cast<std::size_t>(reason) < std::size(kCloseReasons);
  static_cast<CloseHub*>(opaque)->closed(
      std::string(known ? kCloseReasons[reason] : "the connection ended"));
}

void closeNow(virConnectPtr connection, const std::vector<int>& callbacks, bool listens) {
  for (const int id : callbacks) virConnectDomainEventDeregisterAny(connection, id);
  if (listens) virConnectUnregisterCloseCallback(connection, onClose);
  virConnectClose(connection);
}

}  // namespace

void CloseHub::add(std::function<void(const std::string&)> listener) {
  std::unique_lock lock(mutex_);
  if (!why_) {
    listeners_.push_back(std::move(listener));
    return;
  }
  const auto why = *why_;
  lock.unlock();
  listener(why);
}

void CloseHub::closed(std::string why) noexcept {
  std::vector<std::function<void(const std::string&)>> listeners;
  {
    const std::lock_guard lock(mutex_);
    if (why_) return;
    why_ = why;
    listeners.swap(listeners_);
  }
  for (const auto& listener : listeners) listener(why);
}

Result<std::shared_ptr<Connection>> Connection::open(const std::string& uri, Access access,
                                                     std::shared_ptr<EventThread> events,
                                                     std::shared_ptr<Closer::Core> closer) {
  virConnectPtr connection = nullptr;
  if (access == Access::read_only) connection = virConnectOpenReadOnly(uri.c_str());
  if (!connection) connection = virConnectOpen(uri.c_str());
  if (!connection) {
    auto error = lastError("open " + uri, nullptr);
    // libvirt has many names for what keeps it from answering.
    if (error.code == Code::failed) error.code = Code::unreachable;
    return fail(std::move(error));
  }
  // Drivers without a peer (test) have none to ask.
  virConnectSetKeepAlive(connection, kKeepAliveSeconds, kKeepAliveQuestions);
  return std::shared_ptr<Connection>(
      new Connection(connection, std::move(events), std::move(closer)));
}

Connection::Connection(virConnectPtr connection, std::shared_ptr<EventThread> events,
                       std::shared_ptr<Closer::Core> closer)
    : connection_(connection), events_(std::move(events)), closer_(std::move(closer)) {
  // Drivers without a peer have nothing to tell, and never free what they were given: see
  // ~Connection().
  listens_ = virConnectRegisterCloseCallback(connection_, onClose, hub_.get(), nullptr) == 0;
}

Connection::~Connection() {
  Closer::close(closer_, [connection = connection_, callbacks = std::move(callbacks_),
                          listens = listens_, events = events_, hub = hub_] {
    closeNow(connection, callbacks, listens);
    // Taking the callback back asks the peer, and a peer that is gone makes libvirt call it once
    // more: the hub lives until the event thread has passed by.
    events->release(hub);
  });
}

LazyConnection::LazyConnection(std::string uri, Connection::Access access,
                               std::shared_ptr<EventThread> events,
                               std::shared_ptr<Closer::Core> closer)
    : uri_(std::move(uri)),
      access_(access),
      events_(std::move(events)),
      closer_(std::move(closer)) {}

Result<std::shared_ptr<Connection>> LazyConnection::get() {
  const std::lock_guard lock(mutex_);
  if (connection_ && virConnectIsAlive(connection_->get()) == 0) connection_.reset();
  if (!connection_) {
    auto opened = Connection::open(uri_, access_, events_, closer_);
    if (!opened) return fail(opened.error());
    connection_ = std::move(*opened);
  }
  return connection_;
}

Result<DomainPtr> findDomain(const Connection& connection, const Uuid& vm) {
  DomainPtr domain(virDomainLookupByUUID(connection.get(), vm.bytes.data()));
  if (!domain) return fail(lastError("VM " + vm.text(), connection.get()));
  return domain;
}

}  // namespace virtseer::platform

#include "platform/libvirt/connection.h"

#include "platform/libvirt/errors.h"

namespace virtseer::platform {

namespace {

/// A peer that is silent for 5 s is asked; after 3 questions without an answer the connection ends.
constexpr int kKeepAliveSeconds = 5;
constexpr unsigned kKeepAliveQuestions = 3;

void closeNow(virConnectPtr connection, const std::vector<int>& callbacks,
              virConnectCloseFunc close_callback) {
  for (const int id : callbacks) virConnectDomainEventDeregisterAny(connection, id);
  if (close_callback) virConnectUnregisterCloseCallback(connection, close_callback);
  virConnectClose(connection);
}

}  // namespace

Result<std::shared_ptr<Connection>> Connection::open(const std::string& uri, Access access,
                                                     std::shared_ptr<EventThread> events,
                                                     std::shared_ptr<Closer::Core> closer) {
  virConnectPtr connection = nullptr;
  if (access == Access::read_only) connection = virConnectOpenReadOnly(uri.c_str());
  if (!connection) connection = virConnectOpen(uri.c_str());
  if (!connection) return fail(lastError("open " + uri, nullptr));
  // Drivers without a peer (test) have none to ask.
  virConnectSetKeepAlive(connection, kKeepAliveSeconds, kKeepAliveQuestions);
  return std::shared_ptr<Connection>(
      new Connection(connection, std::move(events), std::move(closer)));
}

Connection::Connection(virConnectPtr connection, std::shared_ptr<EventThread> events,
                       std::shared_ptr<Closer::Core> closer)
    : connection_(connection), events_(std::move(events)), closer_(std::move(closer)) {}

Connection::~Connection() {
  Closer::close(closer_, [connection = connection_, callbacks = std::move(callbacks_),
                          close_callback = close_callback_,
                          events = events_] { closeNow(connection, callbacks, close_callback); });
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

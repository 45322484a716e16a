#pragma once

#include <libvirt/libvirt.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "platform/libvirt/closer.h"
#include "platform/libvirt/event_thread.h"
#include "virtseer/uuid.h"

namespace virtseer::platform {

/// Tells who wants to know that a connection broke or its peer went silent. libvirt tells nobody
/// who holds a stream. Any thread.
class CloseHub {
 public:
  /// Called once on the event thread, with the reason; at once, on this thread, if it is too late.
  void add(std::function<void(const std::string& why)> listener);
  void closed(std::string why) noexcept;

 private:
  std::mutex mutex_;
  std::optional<std::string> why_;
  std::vector<std::function<void(const std::string&)>> listeners_;
};

/// One libvirt connection. Made on a pool's thread, used by many; the last reference may be dropped
/// on any thread, since the closing itself happens on the closer's.
class Connection {
 public:
  enum class Access : std::uint8_t { read_only, full };

  /// Opens `uri`; read-only access falls back to full where the driver or the socket refuses it.
  /// Sets keepalive. Blocks.
  static Result<std::shared_ptr<Connection>> open(const std::string& uri, Access access,
                                                  std::shared_ptr<EventThread> events,
                                                  std::shared_ptr<Closer::Core> closer);

  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  virConnectPtr get() const { return connection_; }
  const std::shared_ptr<EventThread>& events() const { return events_; }
  const std::shared_ptr<Closer::Core>& closer() const { return closer_; }
  const std::shared_ptr<CloseHub>& hub() const { return hub_; }

  /// Callbacks to take back before closing: libvirt keeps the connection alive for them otherwise.
  void ownCallback(int id) { callbacks_.push_back(id); }

 private:
  Connection(virConnectPtr connection, std::shared_ptr<EventThread> events,
             std::shared_ptr<Closer::Core> closer);

  virConnectPtr connection_;
  std::shared_ptr<EventThread> events_;
  std::shared_ptr<Closer::Core> closer_;
  std::vector<int> callbacks_;
  const std::shared_ptr<CloseHub> hub_ = std::make_shared<CloseHub>();
  bool listens_ = false;
};

/// A connection that is opened by the first call that needs it. Shared by the calls on it, so that
/// a stuck call keeps its own while the environment goes on with a new one.
class LazyConnection {
 public:
  LazyConnection(std::string uri, Connection::Access access, std::shared_ptr<EventThread> events,
                 std::shared_ptr<Closer::Core> closer);

  /// Opens it if it is not open. Blocks; any pool thread.
  Result<std::shared_ptr<Connection>> get();

 private:
  const std::string uri_;
  const Connection::Access access_;
  const std::shared_ptr<EventThread> events_;
  const std::shared_ptr<Closer::Core> closer_;
  std::mutex mutex_;
  std::shared_ptr<Connection> connection_;
};

struct FreeDomain {
  void operator()(virDomainPtr domain) const { virDomainFree(domain); }
};
using DomainPtr = std::unique_ptr<virDomain, FreeDomain>;

/// The VM's domain, or not_found.
Result<DomainPtr> findDomain(const Connection& connection, const Uuid& vm);

}  // namespace virtseer::platform

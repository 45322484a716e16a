#include "fleet/peers.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "base/task_group.h"
#include "base/text.h"
#include "fleet/http_peer.h"

namespace virtseer::fleet {

namespace asio = boost::asio;

struct HttpPeers::Impl {
  using List = std::vector<std::shared_ptr<HttpPeer>>;

  Impl(asio::any_io_executor executor, const Clock& clock, std::vector<PeerOptions> options)
      : loop(executor) {
    const auto network = std::make_shared<Network>(executor);
    for (auto& peer : options)
      peers.push_back(std::make_shared<HttpPeer>(network, clock, std::move(peer)));
  }

  List named(const std::string& name) const;
  List ofHost(const std::optional<Uuid>& uuid, const std::string& host) const;
  std::string names(const List& list) const;

  asio::any_io_executor loop;
  List peers;
};

HttpPeers::Impl::List HttpPeers::Impl::named(const std::string& name) const {
  List out;
  std::ranges::copy_if(peers, std::back_inserter(out),
                       [&](const auto& peer) { return peer->name() == name; });
  return out;
}

HttpPeers::Impl::List HttpPeers::Impl::ofHost(const std::optional<Uuid>& uuid,
                                              const std::string& host) const {
  List out;
  std::ranges::copy_if(peers, std::back_inserter(out), [&](const auto& peer) {
    const auto& known = peer->known();
    return uuid ? known.host == uuid : known.state && known.state->host.name == host;
  });
  return out;
}

std::string HttpPeers::Impl::names(const List& list) const {
  std::string out;
  for (const auto& peer : list) out += (out.empty() ? "" : ", ") + printable(peer->name());
  return out;
}

HttpPeers::HttpPeers(asio::any_io_executor loop, const Clock& clock, std::vector<PeerOptions> peers)
    : impl_(std::make_unique<Impl>(std::move(loop), clock, std::move(peers))) {}

HttpPeers::~HttpPeers() = default;

std::vector<std::shared_ptr<act::Peer>> HttpPeers::all() {
  return {impl_->peers.begin(), impl_->peers.end()};
}

Result<std::shared_ptr<act::Peer>> HttpPeers::find(const std::string& host) {
  const auto uuid = Uuid::parse(host);
  auto found = impl_->named(host);
  if (found.empty()) found = impl_->ofHost(uuid, host);
  if (found.size() == 1) return found.front();
  const std::string shown = printable(host);
  // Asking the wrong one of them about a copy of a VM would be worse than asking nobody.
  if (!found.empty())
    return fail(Code::refused,
                "several peers say that they are " + shown + ": " + impl_->names(found));
  if (impl_->peers.empty())
    return fail(Code::not_found, shown + " is not known: the configuration names no peers");
  Impl::List unknown;
  std::ranges::copy_if(impl_->peers, std::back_inserter(unknown),
                       [](const auto& peer) { return !peer->host(); });
  if (uuid && !unknown.empty())
    return fail(Code::unreachable, "which peer is host " + shown +
                                       " is not known yet: no word from " + impl_->names(unknown));
  return fail(Code::not_found,
              "no peer is called " + shown + "; there are: " + impl_->names(impl_->peers));
}

asio::awaitable<void> HttpPeers::run(Millis interval) {
  TaskGroup following(impl_->loop, [](const std::string& name, const std::string& what) {
    log(Level::error, "fleet: asking " + printable(name) + " ended: " + printable(what));
  });
  for (const auto& peer : impl_->peers) following.spawn(peer->name(), peer->follow(interval));
  try {
    co_await following.join();
  } catch (const boost::system::system_error&) {
    // We are cancelled; the group must still outlive its coroutines.
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  following.cancel();
  co_await following.join();
}

std::vector<PeerState> HttpPeers::states() const {
  std::vector<PeerState> out;
  for (const auto& peer : impl_->peers) out.push_back(peer->known());
  return out;
}

}  // namespace virtseer::fleet

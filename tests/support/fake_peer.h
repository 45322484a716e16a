#pragma once

#include <algorithm>
#include <boost/system/system_error.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "act/pause.h"
#include "act/peer.h"

namespace virtseer::test {

/// The daemon of another host, for tests: each question is answered by a function that the test
/// sets, or that is wired to the real Arrivals and Operations of the other side. Not set means that
/// the question is answered with Code::failed. While `silent` nothing is answered, which is known
/// at once; while packets are lost it is not known before whoever asks gives up.
class FakePeer final : public act::Peer {
 public:
  template <class T>
  using Answer = boost::asio::awaitable<Result<T>>;

  FakePeer(std::string name, Uuid host, std::string migration_uri)
      : name_(std::move(name)), host_(host), uri_(std::move(migration_uri)) {}

  bool silent = false;
  bool port_answers = true;  ///< libvirt's, if only by refusing
  /// How its deadline is waited for; set: what is sent there is lost, and nothing comes back. A
  /// question ends as one of the real peer does: given up by whoever asked, or after kDeadline.
  act::Pause lost;
  static constexpr Millis kDeadline{5'000};
  std::function<Answer<ReserveAnswer>(ReserveOrder)> on_reserve;
  std::function<Answer<Reservation>(std::string)> on_renew;
  std::function<Answer<void>(std::string)> on_release;
  std::function<Answer<RemoteVm>(Uuid)> on_vm;
  std::function<Answer<void>(std::string, CommitOrder)> on_commit;
  std::function<Answer<void>(std::string, std::string)> on_token;
  std::function<Answer<void>(std::string)> on_revive;
  std::function<Answer<Operation>(std::string)> on_send_back;
  std::function<Answer<Operation>(std::string)> on_operation;

  /// Every question that came, the unanswered ones too: "reserve ID", "vm UUID", "commit ID".
  const std::vector<std::string>& calls() const { return calls_; }
  std::size_t count(const std::string& prefix) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        calls_, [&](const std::string& call) { return call.starts_with(prefix); }));
  }

  std::string name() const override { return name_; }
  std::optional<Uuid> host() const override { return host_; }
  void setHost(std::optional<Uuid> host) { host_ = host; }
  std::string migrationUri() const override { return uri_; }

  Answer<ReserveAnswer> reserve(ReserveOrder order) override {
    const auto id = order.operation;
    return ask<ReserveAnswer>((order.dry_run ? "look " : "reserve ") + id, on_reserve,
                              std::move(order));
  }
  Answer<Reservation> renew(std::string operation) override {
    const auto call = "renew " + operation;
    return ask<Reservation>(call, on_renew, std::move(operation));
  }
  Answer<void> release(std::string operation) override {
    const auto call = "release " + operation;
    return ask<void>(call, on_release, std::move(operation));
  }
  Answer<RemoteVm> vm(Uuid vm) override { return ask<RemoteVm>("vm " + vm.text(), on_vm, vm); }
  Answer<void> commit(std::string operation, CommitOrder order) override {
    const auto call = "commit " + operation;
    return ask<void>(call, on_commit, std::move(operation), std::move(order));
  }
  Answer<void> takeToken(std::string operation, std::string token) override {
    const auto call = "token " + operation;
    return ask<void>(call, on_token, std::move(operation), std::move(token));
  }
  Answer<void> revive(std::string operation) override {
    const auto call = "revive " + operation;
    return ask<void>(call, on_revive, std::move(operation));
  }
  Answer<Operation> sendBack(std::string operation) override {
    const auto call = "return " + operation;
    return ask<Operation>(call, on_send_back, std::move(operation));
  }
  Answer<Operation> operation(std::string id) override {
    const auto call = "operation " + id;
    return ask<Operation>(call, on_operation, std::move(id));
  }
  Answer<void> setMaintenance(bool) override {
    co_return fail(Code::unsupported, "a fake has no maintenance");
  }
  boost::asio::awaitable<bool> libvirtAnswers() override {
    if (!lost) co_return port_answers;
    std::ignore = co_await nothing(lost);
    co_return false;
  }

 private:
  /// By value: the link may be mended meanwhile.
  static boost::asio::awaitable<Error> nothing(act::Pause pause) {
    try {
      co_await pause(kDeadline);
    } catch (const boost::system::system_error&) {
      co_return Error{Code::cancelled, "given up"};
    }
    co_return Error{Code::timeout, "no connection in time"};
  }

  template <class T, class... Args>
  Answer<T> ask(std::string call, std::function<Answer<T>(Args...)> answer,
                std::type_identity_t<Args>... args) {
    calls_.push_back(std::move(call));
    if (lost) co_return fail(co_await nothing(lost));
    if (silent) co_return fail(Code::unreachable, name_ + " does not answer");
    if (!answer) co_return fail(Code::failed, name_ + " has no answer to that");
    auto result = co_await answer(std::move(args)...);
    // The question was heard, the answer is lost.
    if (silent) co_return fail(Code::timeout, name_ + " did not answer in time");
    co_return result;
  }

  std::string name_;
  std::optional<Uuid> host_;
  std::string uri_;
  std::vector<std::string> calls_;
};

class FakePeers final : public act::Peers {
 public:
  std::shared_ptr<FakePeer> add(std::string name, Uuid host, std::string migration_uri) {
    auto peer = std::make_shared<FakePeer>(std::move(name), host, std::move(migration_uri));
    peers_.push_back(peer);
    return peer;
  }

  std::vector<std::shared_ptr<act::Peer>> all() override { return {peers_.begin(), peers_.end()}; }
  Result<std::shared_ptr<act::Peer>> find(const std::string& host) override {
    for (const auto& peer : peers_)
      if (peer->name() == host || (peer->host() && peer->host()->text() == host)) return peer;
    return fail(Code::not_found, "no peer is called " + host);
  }

 private:
  std::vector<std::shared_ptr<FakePeer>> peers_;
};

}  // namespace virtseer::test

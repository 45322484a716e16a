#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <type_traits>

#include "base/pool.h"
#include "platform/libvirt.h"
#include "platform/libvirt/channel.h"
#include "platform/libvirt/connection.h"
#include "platform/libvirt/lane.h"
#include "platform/libvirt/libvirt_actions.h"
#include "platform/libvirt/notices.h"
#include "platform/libvirt/reading.h"

namespace virtseer::platform {

/// See platform/libvirt.h. Each kind of call has a lane of its own.
class LibvirtEnvironment final : public Environment {
 public:
  LibvirtEnvironment(boost::asio::any_io_executor loop, LibvirtOptions options);
  ~LibvirtEnvironment() override;

  boost::asio::awaitable<void> run() override;
  void onNotice(std::function<void(const Notice&)> receiver) override;
  Status status() const override;
  Capabilities capabilities() const override { return capabilities_; }
  std::optional<std::chrono::steady_clock::time_point> eventThreadTick() const override;
  boost::asio::awaitable<Result<std::vector<Vm>>> vms() override;
  boost::asio::awaitable<Result<std::vector<VmStatistics>>> statistics() override;
  boost::asio::awaitable<Result<HostFacts>> hostFacts() override;
  boost::asio::awaitable<Result<std::unique_ptr<Channel>>> openChannel(Uuid vm,
                                                                       std::string name) override;
  boost::asio::awaitable<Result<void>> setBalloonPeriod(Uuid vm,
                                                        std::chrono::seconds period) override;
  boost::asio::awaitable<Result<GuestAnswer>> guestFacts(Uuid vm) override;
  boost::asio::awaitable<Result<void>> measureDirtyRate(Uuid vm,
                                                        std::chrono::seconds span) override;
  boost::asio::awaitable<Result<std::optional<double>>> dirtyRate(Uuid vm) override;
  Actions& actions() override { return acting_; }

 private:
  /// What a successful connect brings.
  struct Session {
    std::uint64_t number = 0;
    std::shared_ptr<Connection> connection;
    Capabilities capabilities;
  };

  template <class Job>
  boost::asio::awaitable<std::invoke_result_t<Job&, const std::shared_ptr<Connection>&>> call(
      Lane* lane, std::string what, Job job, Millis deadline = Millis(0));

  boost::asio::awaitable<Result<Session>> connect();
  boost::asio::awaitable<void> waitForEnd(std::uint64_t session);
  void begin(Session session);
  void end(std::string why);
  void tellDisconnected(std::string why);
  void receive(std::uint64_t session, const Notice& notice);
  void onClosed(std::uint64_t session, std::string why);

  const boost::asio::any_io_executor loop_;
  const LibvirtOptions options_;
  const std::shared_ptr<EventThread> events_;
  const std::shared_ptr<LoopGate> gate_;
  const std::shared_ptr<NoticeSink> sink_;
  const std::shared_ptr<FactsCache> facts_;
  const std::shared_ptr<StatisticsReader> reader_;
  Closer closer_;
  const ConnectionSource source_;
  BlockingPool sessions_;
  Lane reading_;
  BlockingPool channels_;  ///< opening them
  BlockingPool writers_;   ///< writing to guests that may not read
  Lane tuning_;
  Lane guest_agents_;  ///< guests answer there, or do not
  std::set<Uuid> asked_guests_;

  Session session_;
  std::uint64_t last_session_ = 0;
  std::uint64_t closed_session_ = 0;
  bool told_ = false;  ///< that it is not connected
  std::string closed_reason_;
  boost::asio::steady_timer session_ended_;
  Status status_;
  Capabilities capabilities_;
  LibvirtActions acting_;
  std::function<void(const Notice&)> receiver_;
};

}  // namespace virtseer::platform

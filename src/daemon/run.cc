#include "daemon/run.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "base/log.h"
#include "base/task_group.h"
#include "daemon/notify.h"
#include "daemon/service.h"
#include "virtseer/api/exit_codes.h"
#include "virtseer/version.h"

namespace virtseer::daemon {

namespace asio = boost::asio;

namespace {

asio::awaitable<void> takeSignals(Service& service) {
  asio::signal_set signals(co_await asio::this_coro::executor, SIGTERM, SIGINT, SIGHUP);
  for (;;) {
    const int number = co_await signals.async_wait(asio::use_awaitable);
    if (number == SIGHUP)
      log(Level::warning, "the configuration is read at the start only: restart to take it over");
    else
      service.stop(fmt::format("signal {}", number));
  }
}

asio::awaitable<void> serve(Service& service, Result<void>& outcome, TaskGroup& tasks) {
  try {
    outcome = co_await service.run();
  } catch (const std::exception& error) {
    outcome = fail(Code::failed, std::string("the service ended: ") + error.what());
  }
  tasks.cancel();
}

}  // namespace

int runDaemon(Config config) {
  setLogLevel(config.log.level);
  std::signal(SIGPIPE, SIG_IGN);
  umask(0077);  // what guests told is nobody else's business
  log(Level::info, fmt::format("virtseer {} starts", kVersion));

  asio::io_context io(1);
  const SystemClock clock;
  Result<void> outcome;
  {
    TaskGroup tasks(io.get_executor(), [&](const std::string& name, const std::string& what) {
      log(Level::error, name + " ended: " + what);
      outcome = fail(Code::failed, name + ": " + what);
    });
    Service service(io.get_executor(), clock, std::move(config));
    tasks.spawn("signals", takeSignals(service));
    tasks.spawn("service", serve(service, outcome, tasks));
    io.run();
  }
  if (!outcome) {
    log(Level::error, outcome.error().message);
    notifyManager("STATUS=" + outcome.error().message);
    return api::kFailed;
  }
  log(Level::info, "virtseer has ended in order");
  return api::kDone;
}

}  // namespace virtseer::daemon

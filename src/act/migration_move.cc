#include <fmt/format.h>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "act/migration.h"
#include "base/text.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

/// A call that goes on for longer after its job was told to end is not waited for.
constexpr Millis kAbortGrace{15'000};
/// How often a job that does not end is told so again.
constexpr Millis kAbortAgain{5'000};
/// Memory that is written faster than it is sent may need many rounds; so many times the watchdog's
/// patience without coming nearer to the end is no progress either.
constexpr int kRoundsOfPatience = 10;

}  // namespace

/// Nothing of it is awaited by the migration: libvirt's call may hang for as long as a link is cut.
asio::awaitable<void> Migration::calling(std::shared_ptr<Migration> self,
                                         std::shared_ptr<Call> call) {
  try {
    co_await libvirtsCall(self, call);
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) throw;
    call->end = fail(Code::failed, error.what());
  } catch (const std::exception& error) {
    call->end = fail(Code::failed, error.what());
  }
}

asio::awaitable<void> Migration::libvirtsCall(std::shared_ptr<Migration> self,
                                              std::shared_ptr<Call> call) {
  const auto& rules = self->shared_.rules;
  const auto there = self->peer();
  if (!there) {
    call->end = fail(Code::failed, self->toName() + " is not the host that it was");
    co_return;
  }
  platform::MigrateOrder order;
  order.vm = self->op_.vm;
  order.destination = there->migrationUri();
  order.persistent = !self->op_.record.definition.empty();
  order.copy_storage = self->op_.copy_storage;
  order.copied = self->copied_;
  order.auto_converge = rules.auto_converge;
  order.bandwidth_bytes_per_s = rules.bandwidth_bytes_per_s;
  order.downtime_limit = rules.downtime_limit;
  // What comes without a claim is watched by nobody there.
  if (self->reservation_lost_) {
    call->end = fail(Code::refused, self->toName() + " holds no room for it any more");
    co_return;
  }
  call->end = co_await self->shared_.here.migrate(std::move(order));
}

asio::awaitable<void> Migration::move() {
  alive_at_ = nearer_at_ = shared_.clock.mono();
  if (!std::exchange(called_, true)) {
    call_ = std::make_shared<Call>();
    shared_.tasks.spawn("libvirt's migration of " + op_.id, calling(shared_from_this(), call_));
  }
  while (co_await follow()) co_await poll();
  co_await mustEnter(OperationState::settling,
                     move_error_ ? "libvirt: " + printable(move_error_->message) : "");
}

asio::awaitable<bool> Migration::offHere() {
  const auto here = co_await shared_.here.presence(op_.vm);
  co_return here && (here->state == Presence::State::off || here->state == Presence::State::absent);
}

/// Looks at the job once; false if libvirt's call has ended, or is not waited for any more.
asio::awaitable<bool> Migration::follow() {
  if (call_ && call_->end) {
    noteEnd(*call_->end);
    co_return false;
  }
  const auto progress = co_await shared_.here.progress(op_.vm);
  if (progress) {
    op_.progress = *progress;
    op_.updated = shared_.clock.wall();
  } else if (silence(progress.error())) {
    // That libvirt is silent does not say that the move does not come nearer to its end.
    alive_at_ = nearer_at_ = shared_.clock.mono();
    // Of a VM that is off by now libvirt may have nothing to say.
    if (!call_ && co_await offHere()) co_return false;
  } else if (!call_ && progress.error().code == Code::not_found) {
    co_return false;
  }
  if (abort_reason_.empty() && op_.abort_requested) abort_reason_ = "a person asked for its end";
  if (abort_reason_.empty() && reservation_lost_)
    abort_reason_ = toName() + " holds no room for it any more";
  if (abort_reason_.empty() && stalled(op_.progress))
    abort_reason_ = fmt::format("no progress for {} s", shared_.rules.stall.count() / 1000);
  if (abort_reason_.empty()) co_return true;
  op_.message = "it is being ended: " + abort_reason_;
  if (abort_sent_ && since(*abort_sent_) > kAbortGrace) co_return false;
  co_await abortJob();
  co_return true;
}

/// Tells the job to end, and again while it does not: nobody else will.
asio::awaitable<void> Migration::abortJob() {
  if (abort_sent_last_ && since(*abort_sent_last_) < kAbortAgain) co_return;
  abort_sent_last_ = shared_.clock.mono();
  if (!abort_sent_) abort_sent_ = abort_sent_last_;
  std::ignore = co_await shared_.here.abortJob(op_.vm);
}

/// While where it is is being found out: true if libvirt turns out to be moving it still, and it is
/// to be followed again.
asio::awaitable<bool> Migration::followAgain(const Sides& sides) {
  still_moving_ = sides.source && sides.source->job == Presence::Job::migration_out;
  if (!still_moving_) co_return false;
  if (abort_sent_) {
    co_await abortJob();
    co_return false;
  }
  if (since(sides.since) < kSettled) co_return false;
  if (call_ && call_->end) call_.reset();  // it ended without the move
  co_await mustEnter(OperationState::migrating, "libvirt still moves it");
  co_return true;
}

bool Migration::stalled(const MigrationProgress& progress) {
  const auto now = shared_.clock.mono();
  if (progress.processed_bytes != processed_ || progress.iteration != iteration_) {
    processed_ = progress.processed_bytes;
    iteration_ = progress.iteration;
    alive_at_ = now;
  }
  // Before the first round and at the very end libvirt tells of nothing that remains.
  if (progress.remaining_bytes == 0) {
    nearer_at_ = now;
  } else if (progress.remaining_bytes < nearest_) {
    nearest_ = progress.remaining_bytes;
    nearer_at_ = now;
  }
  return since(alive_at_) >= shared_.rules.stall ||
         since(nearer_at_) >= kRoundsOfPatience * shared_.rules.stall;
}

void Migration::noteEnd(const Result<platform::MigrateEnd>& end) {
  if (!end) {
    move_error_ = end.error();
    return;
  }
  op_.duration = end->duration;
  op_.downtime = end->downtime;
  if (end->transferred_bytes > 0) op_.progress.processed_bytes = end->transferred_bytes;
  op_.progress.fraction = 1;
  op_.progress.remaining_bytes = 0;
}

}  // namespace virtseer::act

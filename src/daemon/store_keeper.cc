#include "daemon/store_keeper.h"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <limits>

namespace virtseer::daemon {

namespace asio = boost::asio;

namespace {

/// Rows a store in memory keeps of each stream: ten minutes at one row a second.
constexpr std::size_t kMemoryRows = 600;

/// What happened while there was no store on disk is kept in it as well, under new ids. Not what
/// guests told: as their rows, it was not acknowledged, and their agents send it again.
void carryEvents(store::Store& from, store::Store& into) {
  store::EventQuery all;
  all.limit = std::numeric_limits<std::size_t>::max();
  auto found = from.events().finder(all)();
  if (!found) return;
  for (auto event = found->events.rbegin(); event != found->events.rend(); ++event)
    if (!collect::echoOf(*event)) into.events().append(std::move(*event));
}

using Told = std::map<Uuid, collect::EchoMark>;

/// The newest echo of each VM whose happenings are in the store. Looks at as many events as any
/// search: only those of the last write before a crash, or of writes whose rows failed, matter.
Result<Told> toldIn(store::Store& store) {
  constexpr std::size_t kAtOnce = 1000;
  Told told;
  store::EventQuery query{.kind_prefix = collect::kGuestKinds, .limit = kAtOnce};
  for (std::size_t seen = 0; seen < store::kMaxEventsLookedAt;) {
    const auto page = store.events().finder(query)();
    if (!page) return fail(page.error());
    for (const Event& event : page->events) {
      const auto mark = collect::echoOf(event);
      if (mark && event.entity) told.try_emplace(*event.entity, *mark);
    }
    if (!page->next || page->events.empty()) break;
    seen += page->events.size();
    query.before_id = *page->next;
  }
  return told;
}

struct OpenedStore {
  std::unique_ptr<store::Store> store;
  Told told;
};

Result<OpenedStore> openWith(const store::StoreOptions& options, Timestamp now) {
  auto store = store::openStore(options, now);
  if (!store) return fail(store.error());
  auto told = toldIn(**store);
  if (!told) return fail(told.error());
  return OpenedStore{std::move(*store), std::move(*told)};
}

asio::awaitable<void> pause(asio::steady_timer& timer, Millis span) {
  timer.expires_after(span);
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace

StoreKeeper::StoreKeeper(asio::any_io_executor loop, const Clock& clock,
                         store::StoreOptions options, Times times, Callbacks callbacks)
    : clock_(clock),
      options_(std::move(options)),
      times_(times),
      callbacks_(std::move(callbacks)),
      // A write that hangs (a dead disk) must not be overtaken by another: one thread, none in
      // reserve.
      writer_(loop, "vs-store", {.threads = 1, .queue = 16, .abandoned = 1}),
      readers_(loop, "vs-read", {.threads = 2, .queue = 64, .abandoned = 2}),
      wake_(loop),
      written_(loop, asio::steady_timer::time_point::max()) {
  stores_.push_back(store::memoryStore(kMemoryRows));
}

asio::awaitable<void> StoreKeeper::open() {
  auto opened = co_await writer_.run(
      "store: open", Millis(10 * 60'000),
      [options = options_, now = clock_.wall()] { return openWith(options, now); });
  if (!opened) {
    failed(opened.error());
    co_return;
  }
  carryEvents(*stores_.back(), *opened->store);
  stores_.push_back(std::move(opened->store));
  told_ = std::move(opened->told);
  on_disk_ = true;
  for (const auto& remark : store().remarks()) {
    callbacks_.event({.time = clock_.wall(),
                      .severity = Severity::warning,
                      .kind = "store.remark",
                      .entity = {},
                      .message = remark,
                      .fields = {}});
  }
  recovered();
  callbacks_.swapped();
}

void StoreKeeper::touched() {
  if (dirty_) return;
  dirty_ = true;
  wake_.cancel();
}

asio::awaitable<void> StoreKeeper::run() {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  while (!stopping_) {
    if (!on_disk_) {
      co_await pause(wake_, times_.retry);
      co_await open();
    } else if (!dirty_) {
      co_await pause(wake_, times_.sync);
    }
    if (dirty_ && !stopping_) co_await pause(wake_, times_.gather);
    const auto now = clock_.mono();
    const bool sync = stopping_ || now - synced_ >= times_.sync;
    const auto outcome = co_await writeOnce(sync);
    if (outcome) {
      if (sync) synced_ = now;
      if (now - measured_ >= kMeasure) co_await measure();
      if (now - swept_ >= kSweep && !stopping_) co_await sweep();
    } else if (!stopping_) {
      dirty_ = true;  // keeps touched() from ending the pause
      co_await pause(wake_, times_.retry);
    }
  }
  co_await writeOnce(true);
}

void StoreKeeper::stop() {
  stopping_ = true;
  wake_.cancel();
}

asio::awaitable<Result<void>> StoreKeeper::durable() {
  // What is being written now began before the latest change.
  const auto wanted = writes_begun_ + 1;
  touched();
  while (writes_ended_ < wanted) {
    if (!on_disk_)
      co_return fail(Code::unreachable, problem_.empty() ? "the store is not open yet" : problem_);
    if (stopping_) co_return fail(Code::cancelled, "the daemon is stopping");
    boost::system::error_code ignored;
    co_await written_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
      co_return fail(Code::cancelled, "given up");
  }
  co_return last_write_;
}

asio::awaitable<Result<void>> StoreKeeper::writeOnce(bool sync) {
  ++writes_begun_;
  last_write_ = co_await write(sync);
  ++writes_ended_;
  written_.cancel();
  co_return last_write_;
}

asio::awaitable<Result<void>> StoreKeeper::write(bool sync) {
  dirty_ = false;
  auto& series = store().series();
  auto commit = series.takeCommit(clock_.wall() - kIdle);
  callbacks_.gathered();
  const auto events = store().events().writer();
  const auto settings = store().settings().writer();
  const auto tables = store().tables().writer();
  if (!commit && !events && !settings && !tables) co_return Result<void>{};

  struct Work {
    std::unique_ptr<store::Commit> commit;
    Result<void> rows{}, rest{};
  };
  const auto work = std::make_shared<Work>();
  work->commit = std::move(commit);
  writing_since_ = clock_.mono();
  const auto ran = co_await writer_.run("store: write", kForEver, [=]() -> Result<void> {
    if (events) work->rows = events();
    if (work->commit && work->rows) work->rows = work->commit->write(sync);
    if (settings) work->rest = settings();
    if (tables && work->rest) work->rest = tables();
    return {};
  });
  writing_since_.reset();
  if (!ran) work->rows = ran;
  if (work->commit) series.settle(std::move(work->commit), work->rows);
  const Result<void> outcome = work->rows ? work->rest : work->rows;
  if (outcome)
    recovered();
  else
    failed(outcome.error());
  if (work->rows && on_disk_) callbacks_.written();
  co_return outcome;
}

asio::awaitable<void> StoreKeeper::measure() {
  measured_ = clock_.mono();
  const auto bytes = co_await readers_.run(
      "store: measure", kReadDeadline,
      [store = &store()]() -> Result<std::uint64_t> { return store->measureDisk(); });
  if (bytes) disk_bytes_ = *bytes;
}

/// Tables of guests have their time, and then they go.
asio::awaitable<void> StoreKeeper::sweep() {
  swept_ = clock_.mono();
  const auto swept = co_await writer_.run(
      "store: sweep", kForEver, store().tables().sweeper(clock_.wall() - times_.tables_keep));
  if (!swept) failed(swept.error());
}

collect::EchoMark StoreKeeper::told(Uuid vm) const {
  const auto found = told_.find(vm);
  return found == told_.end() ? collect::EchoMark{} : found->second;
}

void StoreKeeper::failed(const Error& error) {
  const std::string problem = "storing does not work: " + error.message +
                              "; the latest values are served from memory, it is tried again";
  if (problem == problem_) return;
  problem_ = problem;
  callbacks_.event({.time = clock_.wall(),
                    .severity = Severity::error,
                    .kind = "store.degraded",
                    .entity = {},
                    .message = problem,
                    .fields = {{"code", std::string(name(error.code))}}});
}

void StoreKeeper::recovered() {
  if (problem_.empty() || !on_disk_) return;
  problem_.clear();
  callbacks_.event({.time = clock_.wall(),
                    .severity = Severity::info,
                    .kind = "store.recovered",
                    .entity = {},
                    .message = "storing works again",
                    .fields = {}});
}

std::string StoreKeeper::problem() const {
  if (writing_since_ && clock_.mono() - *writing_since_ > kHangs)
    return "the disk under " + options_.directory.string() +
           " has not answered a write for 10 s; the latest values are served from memory";
  return problem_;
}

void StoreKeeper::close() {
  writer_.close();
  readers_.close();
}

}  // namespace virtseer::daemon

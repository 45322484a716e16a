#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"
#include "daemon/backend.h"

/// What guests tell, and what they are told.
namespace virtseer::daemon {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kHappenings = 20;
/// A host's events are those of all its VMs: one that is quiet must not cost a search of them all.
constexpr std::size_t kEventsLookedAt = 20'000;
/// Values that came no more for so long are of what is gone.
constexpr Millis kGone{60'000};
/// How far back the store is asked for the tables of a guest: from the last one on.
constexpr Millis kRecall{3'600'000};

/// Between the last two points, if the last one is of `time`.
std::optional<double> rateOf(const std::vector<Point>& points, Timestamp time) {
  if (points.size() < 2 || points.back().time != time) return std::nullopt;
  const Point &last = points.back(), &before = points[points.size() - 2];
  const double seconds = std::chrono::duration<double>(last.time - before.time).count();
  if (last.value < before.value || !(seconds > 0)) return std::nullopt;
  return (last.value - before.value) / seconds;
}

void apply(const api::CollectionChange& change, echo::Settings& own) {
  if (change.interval_ms) own.interval_ms = *change.interval_ms;
  if (change.top_processes) own.top_processes = *change.top_processes;
  if (change.collectors) own.collectors = *change.collectors;
}

std::string told(const echo::Settings& settings) {
  return fmt::format("every {} ms, {} processes, collectors {}", *settings.interval_ms,
                     *settings.top_processes, fmt::join(*settings.collectors, ", "));
}

}  // namespace

std::vector<api::EchoValue> DaemonBackend::echoValues(Uuid vm, Timestamp last, Millis interval) {
  const StreamId stream{vm, Source::guest};
  const auto names = store_.series().names(stream);
  std::vector<api::EchoValue> out;
  std::vector<Column> counters;
  std::vector<std::size_t> of;
  const Millis fresh = std::max(kGone, 3 * interval);
  for (const auto& value : store_.series().latest(stream)) {
    if (last - value.time > fresh) continue;
    if (names[value.column].kind == Kind::counter) {
      counters.push_back(value.column);
      of.push_back(out.size());
    }
    out.push_back({names[value.column], value.time, value.value, std::nullopt});
  }
  const auto points = store_.series().recent(stream, counters, last - 2 * fresh);
  for (std::size_t i = 0; i < counters.size(); ++i)
    out[of[i]].rate_per_second = rateOf(points[i], out[of[i]].time);
  return out;
}

/// After a start the latest tables are in the store alone.
asio::awaitable<Result<void>> DaemonBackend::recallTables(Uuid vm) {
  if (parts_.tables->recalled(vm)) co_return Result<void>{};
  const auto last = store_.series().lastTime({vm, Source::guest});
  if (!last) co_return Result<void>{};
  auto found = co_await store_.read(
      "tables: read",
      store_.tables().finder(
          {.vm = vm, .at = clock_.wall(), .back = clock_.wall() - *last + kRecall}));
  if (!found) co_return fail(found.error());
  parts_.tables->recall(vm, std::move(*found));
  co_return Result<void>{};
}

asio::awaitable<Result<api::EchoView>> DaemonBackend::echo(std::string name) {
  const auto vm = inventory_.find(name);
  if (!vm) co_return fail(vm.error());
  const auto recalled = co_await recallTables(vm->uuid);
  if (!recalled) co_return fail(recalled.error());
  auto events = co_await store_.read("events: read",
                                     store_.events().finder({.entity = vm->uuid,
                                                             .kind_prefix = collect::kGuestKinds,
                                                             .limit = kHappenings,
                                                             .look_at = kEventsLookedAt}));
  if (!events) co_return fail(events.error());
  api::EchoView out{.vm = vm->uuid,
                    .vm_name = vm->name,
                    .time = store_.series().lastTime({vm->uuid, Source::guest}),
                    .agent = {},
                    .values = {},
                    .tables = {},
                    .happenings = std::move(events->events)};
  if (vm->state != VmState::gone) out.agent = parts_.agent(vm->uuid);
  const Millis interval(out.agent.interval_ms.value_or(0));
  if (out.time) out.values = echoValues(vm->uuid, *out.time, interval);
  for (const auto& [table, kept] : parts_.tables->latest(vm->uuid))
    out.tables.push_back({kept.time, kept.table});
  co_return out;
}

asio::awaitable<Result<api::VmTable>> DaemonBackend::table(std::string name, std::string table,
                                                           std::optional<Timestamp> at) {
  const auto vm = inventory_.find(name);
  if (!vm) co_return fail(vm.error());
  const auto recalled = co_await recallTables(vm->uuid);
  if (!recalled) co_return fail(recalled.error());
  const auto& latest = parts_.tables->latest(vm->uuid);
  const auto known = latest.find(table);
  if (known != latest.end() && (!at || known->second.time <= *at))
    co_return api::VmTable{vm->uuid, vm->name, {known->second.time, known->second.table}};
  std::vector<std::string> names;
  for (const auto& entry : latest) names.push_back(entry.first);
  if (at) {
    auto found = co_await store_.read(
        "tables: read", store_.tables().finder({.vm = vm->uuid, .at = *at, .name = table}));
    if (!found) co_return fail(found.error());
    if (!found->empty())
      co_return api::VmTable{
          vm->uuid, vm->name, {found->front().time, std::move(found->front().table)}};
  }
  co_return fail(Code::not_found,
                 fmt::format("{} told no table {}{}; it tells {}", printable(vm->name),
                             printable(table), at ? " in the day before that time" : "",
                             names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
}

Millis DaemonBackend::usageWindow(Uuid vm) const {
  return std::max(usage_window_,
                  3 * Millis(parts_.collection->inForce(vm).interval_ms.value_or(0)));
}

api::CollectionView DaemonBackend::collectionOf(const Vm& vm) {
  return {vm.uuid, vm.name, parts_.collection->inForce(vm.uuid), parts_.collection->own(vm.uuid),
          parts_.agent(vm.uuid).state == AgentLink::State::connected};
}

Result<api::CollectionView> DaemonBackend::collection(const std::string& name) {
  const auto vm = inventory_.find(name);
  if (!vm) return fail(vm.error());
  return collectionOf(*vm);
}

asio::awaitable<Result<api::CollectionView>> DaemonBackend::setCollection(
    std::string name, api::CollectionChange change) {
  const auto vm = inventory_.find(name);
  if (!vm) co_return fail(vm.error());
  const auto most = parts_.longest_interval;
  const auto wanted = change.interval_ms.value_or(std::nullopt);
  if (most && wanted && Millis(*wanted) > *most)
    co_return fail(Code::invalid,
                   fmt::format("interval_ms: at most {}, a third of migration.echo_back, or the VM "
                               "would be taken for silent after each move",
                               most->count()));
  auto own = parts_.collection->own(vm->uuid);
  const auto before = own;
  apply(change, own);
  if (own == before) co_return collectionOf(*vm);
  parts_.collection->set(vm->uuid, own);
  parts_.report({.time = clock_.wall(),
                 .severity = Severity::info,
                 .kind = "agent.collection",
                 .entity = vm->uuid,
                 .message = fmt::format("{}: the agent is told to collect {}", printable(vm->name),
                                        told(parts_.collection->inForce(vm->uuid))),
                 .fields = {}});
  auto view = collectionOf(*vm);
  view.connected = parts_.instruct(vm->uuid);
  const auto kept = co_await store_.durable();
  if (!kept) co_return fail(kept.error().in("it holds while this daemon runs, but is not kept"));
  co_return view;
}

}  // namespace virtseer::daemon

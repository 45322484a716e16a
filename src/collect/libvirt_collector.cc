#include "collect/libvirt_collector.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "base/text.h"
#include "collect/schedule.h"
#include "model/host_state.h"

namespace virtseer::collect {

namespace asio = boost::asio;

namespace {

/// Values that wait for a VM's next row.
constexpr std::size_t kMostAdded = 256;

asio::awaitable<void> wait(asio::steady_timer& timer) {
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace

LibvirtCollector::LibvirtCollector(asio::any_io_executor loop, const Clock& clock,
                                   platform::Environment& environment,
                                   LibvirtCollectorOptions options, RowSink rows,
                                   LibvirtCollectorCallbacks callbacks)
    : clock_(clock),
      environment_(environment),
      options_(options),
      rows_(std::move(rows)),
      callbacks_(std::move(callbacks)),
      watch_(environment.status().uri),
      beat_(loop),
      list_(loop) {}

void LibvirtCollector::start(TaskGroup& tasks) {
  environment_.onNotice([this](const platform::Notice& notice) { take(notice); });
  const auto uri = environment_.status().uri;
  tasks.spawn("environment " + uri, environment_.run());
  tasks.spawn("list of VMs of " + uri, keepList());
  tasks.spawn("statistics of " + uri, collect());
}

void LibvirtCollector::add(Uuid vm, std::span<const NamedValue> values) {
  const auto here = std::ranges::find(vms_, vm, &Vm::uuid);
  if (here == vms_.end() || !occupies(here->state)) return;
  auto& added = added_[vm];
  for (const auto& value : values) {
    // A row has a column once: the later value counts.
    const auto same = std::ranges::find(added, value.name, &NamedValue::name);
    if (same != added.end())
      same->value = value.value;
    else if (added.size() < kMostAdded)
      added.push_back(value);
  }
}

void LibvirtCollector::storeSwapped() {
  for (auto& [vm, writer] : writers_) writer.redeclare();
}

void LibvirtCollector::report(Event event) {
  if (callbacks_.report) callbacks_.report(std::move(event));
}

void LibvirtCollector::take(const platform::Notice& notice) {
  using Kind = platform::Notice::Kind;
  if (auto event = watch_.notice(notice, clock_.wall())) report(std::move(*event));
  if (notice.kind == Kind::disconnected) added_.clear();  // nobody knows when rows come again
  const bool lists = notice.kind == Kind::connected || notice.kind == Kind::vm_changed ||
                     notice.kind == Kind::vm_lifecycle;
  if (lists && !list_wanted_) {
    list_wanted_ = true;
    list_.cancel();
  }
  if (notice.kind == Kind::vm_lifecycle && notice.vm &&
      (notice.detail == "started" || notice.detail == "resumed")) {
    balloon_asked_.erase(*notice.vm);
    if (callbacks_.running) callbacks_.running(*notice.vm);
  }
  if (callbacks_.notice) callbacks_.notice(notice);
}

/// Until a notice asks for a list, or the slow timer does.
asio::awaitable<bool> LibvirtCollector::waitForReason() {
  if (!list_wanted_) {
    list_.expires_after(options_.relist);
    co_await wait(list_);
  }
  if (list_wanted_) {
    list_.expires_after(options_.settle);
    co_await wait(list_);
  }
  co_return environment_.status().connected;
}

asio::awaitable<void> LibvirtCollector::keepList() {
  list_wanted_ = true;
  for (;;) {
    if (!co_await waitForReason()) {
      list_wanted_ = false;  // connecting gives a notice
      continue;
    }
    list_wanted_ = false;
    watch_.listBegins();
    auto vms = co_await environment_.vms();
    if (vms) {
      adopt(std::move(*vms));
      co_await setBalloonPeriods();
      continue;
    }
    log(Level::warning, "listing the VMs of " + environment_.status().uri +
                            " failed: " + printable(vms.error().message));
    list_.expires_after(options_.retry);
    co_await wait(list_);
    list_wanted_ = true;
  }
}

void LibvirtCollector::adopt(std::vector<Vm> vms) {
  for (auto& event : watch_.list(vms, clock_.wall())) report(std::move(event));
  std::set<Uuid> here;
  for (const auto& vm : vms) {
    here.insert(vm.uuid);
    if (!occupies(vm.state)) {
      timed_out_.erase(vm.uuid);
      balloon_asked_.erase(vm.uuid);
      added_.erase(vm.uuid);
    }
  }
  const auto left = [&](const auto& entry) { return !here.contains(entry.first); };
  std::erase_if(writers_, left);
  std::erase_if(added_, left);
  std::erase_if(timed_out_, [&](Uuid vm) { return !here.contains(vm); });
  std::erase_if(balloon_asked_, [&](Uuid vm) { return !here.contains(vm); });
  vms_ = std::move(vms);
  if (callbacks_.listed) callbacks_.listed(vms_);
}

/// Once per run of a VM: one that refuses is not asked again and again.
asio::awaitable<void> LibvirtCollector::setBalloonPeriods() {
  if (options_.balloon_period_s == 0) co_return;
  std::vector<std::pair<Uuid, std::string>> stale;
  for (const auto& vm : vms_)
    if (vm.state == VmState::running && vm.balloon_period_s == 0 &&
        !balloon_asked_.contains(vm.uuid))
      stale.emplace_back(vm.uuid, vm.name);
  for (const auto& [uuid, vm_name] : stale) {
    balloon_asked_.insert(uuid);
    const auto set = co_await environment_.setBalloonPeriod(
        uuid, std::chrono::seconds(options_.balloon_period_s));
    const auto period = std::to_string(options_.balloon_period_s) + " s";
    report({.id = 0,
            .time = clock_.wall(),
            .severity = set ? Severity::info : Severity::warning,
            .kind = set ? "vm.balloon_period_set" : "vm.balloon_period_refused",
            .entity = uuid,
            .message = printable(vm_name) + ": the balloon driver's statistics period " +
                       (set ? "was 0, is now " + period
                            : "is 0 and could not be set to " + period + ": " +
                                  printable(set.error().message)),
            .fields = {{"environment", environment_.status().uri}}});
    if (set)
      for (auto& vm : vms_)
        if (vm.uuid == uuid) vm.balloon_period_s = options_.balloon_period_s;
  }
}

asio::awaitable<void> LibvirtCollector::collect() {
  const auto start = clock_.mono();
  for (;;) {
    const auto began = clock_.mono();
    if (environment_.status().connected) {
      const auto statistics = co_await environment_.statistics();
      if (statistics) {
        store(*statistics);
      } else {
        ++counts_.missed_beats;
        for (const auto& vm : vms_)
          if (occupies(vm.state)) timed_out_.insert(vm.uuid);
      }
    } else {
      for (const auto& vm : vms_)
        if (occupies(vm.state)) timed_out_.insert(vm.uuid);
    }
    const auto now = clock_.mono();
    const auto next = nextTick(start, options_.interval, now);
    const auto due = nextTick(start, options_.interval, began);
    counts_.missed_beats += static_cast<std::uint64_t>((next - due) / options_.interval);
    beat_.expires_after(next - now);
    co_await wait(beat_);
  }
}

void LibvirtCollector::store(const std::vector<platform::VmStatistics>& statistics) {
  const auto now = clock_.wall();
  timed_out_.clear();
  for (const auto& vm : statistics) {
    if (vm.timed_out) timed_out_.insert(vm.uuid);
    if (!vm.values.empty()) store(vm, now);
  }
}

void LibvirtCollector::store(const platform::VmStatistics& vm, Timestamp now) {
  const StreamId stream{vm.uuid, Source::libvirt};
  const auto last = rows_.last ? rows_.last(stream) : std::nullopt;
  const auto time = rowTime(now, last, now);
  if (!time) {
    ++counts_.late_rows;
    if (auto event = step_back_.refused("figures of the VMs of " + environment_.status().uri,
                                        std::nullopt, *last, now))
      report(std::move(*event));
    return;
  }
  values_.clear();
  for (const auto& value : vm.values) values_.push_back({value.name, value.value});
  if (const auto added = added_.extract(vm.uuid))
    values_.insert(values_.end(), added.mapped().begin(), added.mapped().end());
  auto& writer = writers_.try_emplace(vm.uuid, rows_, stream).first->second;
  const auto refused = writer.refused();
  const auto fate = writer.append(*time, values_);
  counts_.refused_values += writer.refused() - refused;
  if (!fate)
    log(Level::warning,
        "statistics of VM " + vm.uuid.text() + " have no place: " + fate.error().message);
  if (fate && *fate == store::Appended::late)
    ++counts_.late_rows;
  else if (!fate || *fate != store::Appended::taken)
    ++counts_.overflow_rows;
}

}  // namespace virtseer::collect

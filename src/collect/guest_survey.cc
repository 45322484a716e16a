#include "collect/guest_survey.h"

#include <algorithm>

namespace virtseer::collect {

namespace asio = boost::asio;

namespace {

constexpr Millis kBetweenLooks{1'000};
constexpr int kAtOnce = 2;
constexpr std::size_t kMostMountpoints = 64;
/// A guest that answers slowly waits so many times as long as it took: others get their turns.
constexpr int kRestPerAnswer = 10;

const SeriesName* fixed(const char* metric) {
  return platform::intern({metric, {}, Kind::gauge});
}

}  // namespace

GuestSurvey::GuestSurvey(const Clock& clock, platform::Environment& environment,
                         GuestSurveyOptions options, Values values, Pause pause)
    : clock_(clock),
      environment_(environment),
      options_(options),
      values_(std::move(values)),
      pause_(std::move(pause)),
      turns_(options.interval) {}

void GuestSurvey::start(TaskGroup& tasks) {
  if (options_.interval == Millis(0)) return;
  for (int i = 0; i < kAtOnce; ++i)
    tasks.spawn("guest agents of " + environment_.status().uri, run());
}

void GuestSurvey::setVms(const std::vector<Vm>& vms) {
  std::vector<Uuid> wanted;
  for (const auto& vm : vms)
    if (vm.has_guest_agent && (vm.state == VmState::running || vm.state == VmState::blocked))
      wanted.push_back(vm.uuid);
  turns_.set(wanted, clock_.mono());
  std::erase_if(guests_, [&](const auto& each) {
    return std::ranges::find(wanted, each.first) == wanted.end();
  });
  std::erase_if(names_, [&](const auto& each) {
    return std::ranges::find(vms, each.first, &Vm::uuid) == vms.end();
  });
}

GuestSurvey::View GuestSurvey::view(Uuid vm) const {
  const auto found = guests_.find(vm);
  return found == guests_.end() ? View{} : found->second.view;
}

asio::awaitable<void> GuestSurvey::run() {
  for (;;) {
    const auto vm =
        environment_.status().connected ? turns_.take(clock_.mono()) : std::optional<Uuid>();
    if (vm)
      co_await ask(*vm);
    else
      co_await pause_(kBetweenLooks);
  }
}

asio::awaitable<void> GuestSurvey::ask(Uuid vm) {
  const auto begun = clock_.mono();
  auto answer = co_await environment_.guestFacts(vm);
  const auto took = std::chrono::duration_cast<Millis>(clock_.mono() - begun);
  auto& guest = guests_[vm];
  // That it could not be asked says nothing of the guest.
  const bool answered = answer && answer->facts;
  if (answer) {
    guest.view.silent = std::move(answer->silent);
    guest.failures = answered ? 0 : guest.failures + 1;
  }
  if (answered) guest.view.facts = std::move(answer->facts);
  auto wait = options_.interval;
  for (unsigned i = 1; i < guest.failures && wait < options_.longest_wait; ++i) wait *= 2;
  const auto longest = std::max(options_.longest_wait, options_.interval);
  turns_.done(vm, clock_.mono(), std::min(std::max(wait, kRestPerAnswer * took), longest));
  if (answered) tell(vm, *guest.view.facts);
}

void GuestSurvey::tell(Uuid vm, const GuestFacts& facts) {
  static const auto* const kOffset = fixed("libvirt_guest_clock_offset_seconds");
  static const auto* const kVcpus = fixed("libvirt_guest_vcpus_online");
  static const auto* const kDisks = fixed("libvirt_guest_disks");
  static const auto* const kLoad = fixed("libvirt_guest_load1");
  std::vector<NamedValue> values;
  const auto add = [&](const SeriesName* name, auto value) {
    if (value) values.push_back({name, static_cast<double>(*value)});
  };
  add(kVcpus, facts.vcpus_online);
  add(kDisks, facts.disks);
  add(kLoad, facts.load1);
  if (facts.clock_offset)
    values.push_back({kOffset, static_cast<double>(facts.clock_offset->count()) / 1000});
  auto& names = names_[vm];
  for (const auto& filesystem : facts.filesystems) {
    if (!names.contains(filesystem.mountpoint) && names.size() >= kMostMountpoints) continue;
    const Labels labels{{"mountpoint", filesystem.mountpoint}};
    const auto& [size, used] =
        names
            .try_emplace(filesystem.mountpoint,
                         SeriesName{"libvirt_guest_filesystem_size_bytes", labels, Kind::gauge},
                         SeriesName{"libvirt_guest_filesystem_used_bytes", labels, Kind::gauge})
            .first->second;
    add(&size, filesystem.total_bytes);
    add(&used, filesystem.used_bytes);
  }
  if (values_) values_(vm, values);
}

}  // namespace virtseer::collect

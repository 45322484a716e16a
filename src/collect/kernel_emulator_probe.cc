#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>

#include "collect/emulator_probe.h"
#include "collect/emulator_processes.h"
#include "collect/emulator_series.h"
#include "ebpf/groups.h"

namespace virtseer::collect {
namespace {

using ebpf::Descriptor;
using ebpf::GroupCounts;

/// Programs are kept for so long without VMs: a machine that starts anew needs them at once.
constexpr std::chrono::seconds kIdle{60};
/// Command lines are read again after so long where a VM's process was not found.
constexpr std::chrono::seconds kBetweenSearches{30};

constexpr const char* kRemedy =
    "; the daemon needs the capabilities CAP_BPF and CAP_PERFMON, see virtseer-daemon(8)";

Descriptor openProcess(pid_t process) {
  return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
}

bool hasEnded(const Descriptor& process) {
  pollfd state{process.get(), POLLIN, 0};
  return ::poll(&state, 1, 0) > 0;
}

class KernelEmulatorProbe final : public EmulatorProbe {
 public:
  explicit KernelEmulatorProbe(EmulatorProbeOptions options)
      : options_(std::move(options)), stop_(::eventfd(0, EFD_CLOEXEC)) {
    if (const int error = stop_ ? groups_.open() : errno) {
      failure_ = ebpf::errorText(error);
      return;
    }
    thread_ = std::thread([this] { tend(); });
    ::pthread_setname_np(thread_.native_handle(), "vs-programs");
  }
  ~KernelEmulatorProbe() override {
    if (!thread_.joinable()) return;
    constexpr std::uint64_t kOne = 1;
    (void)!::write(stop_.get(), &kOne, sizeof kOne);
    thread_.join();
  }

  EmulatorLook look(const std::set<Uuid>& vms) override {
    const std::lock_guard lock(mutex_);
    EmulatorLook out;
    if (!begin(vms, out)) return out;
    groups_.take();
    drop(vms);
    adopt(vms, out);
    for (auto& [uuid, vm] : vms_) out.vms[uuid] = series_.of(groups_.counts(vm.group));
    for (const auto& figures : groups_.figures()) series_.addHost(figures, out.host);
    out.trouble = groups_.trouble();
    return out;
  }

 private:
  using Time = std::chrono::steady_clock::time_point;

  struct Counted {
    Descriptor process;
    std::uint32_t group;
  };

  /// Has the programs running where there is something to count; false: there is nothing to tell.
  bool begin(const std::set<Uuid>& vms, EmulatorLook& out) {
    const Time now = std::chrono::steady_clock::now();
    if (!vms.empty()) wanted_ = now;
    if (vms.empty() && (!groups_.isRunning() || now - wanted_ > kIdle)) {
      stop();
      return false;
    }
    if (!groups_.isRunning() && failure_.empty()) {
      failure_ = groups_.start(options_.avoided);
      if (failure_.starts_with("not permitted")) failure_ += kRemedy;
    }
    out.failure = failure_;
    return failure_.empty();
  }

  void stop() {
    if (!groups_.isRunning()) return;
    drop({});
    groups_.stop();
  }

  /// Ends what is no more: VMs that are not wanted, and processes that ended. What a VM did before
  /// is kept for as long as it is wanted: counters go on.
  void drop(const std::set<Uuid>& vms) {
    for (auto at = vms_.begin(); at != vms_.end();) {
      auto& [uuid, vm] = *at;
      const bool wanted = vms.contains(uuid);
      if (wanted && !hasEnded(vm.process)) {
        ++at;
        continue;
      }
      auto counts = groups_.remove(vm.group, vm.process.get());
      if (wanted) before_[uuid] = counts;
      at = vms_.erase(at);
    }
    std::erase_if(before_, [&](const auto& each) { return !vms.contains(each.first); });
  }

  void adopt(const std::set<Uuid>& vms, EmulatorLook& out) {
    std::set<Uuid> missing;
    for (const Uuid& vm : vms)
      if (!vms_.contains(vm)) missing.insert(vm);
    const Time now = std::chrono::steady_clock::now();
    const bool search = missing != not_found_ || now - searched_ > kBetweenSearches;
    if (!missing.empty() && search) {
      searched_ = now;
      for (const auto& [uuid, process] : emulatorProcesses(options_.proc, missing))
        if (add(uuid, process)) missing.erase(uuid);
    }
    for (const Uuid& vm : missing)
      out.lacking[vm] = groups_.size() >= bpf::MAX_GROUPS
                            ? "more VMs than can be counted"
                            : "its process is not found: it may be hidden from the daemon";
    not_found_ = std::move(missing);
  }

  bool add(const Uuid& vm, pid_t number) {
    Descriptor process = openProcess(number);
    // The number may have been given to another since.
    if (!process || !isEmulatorOf(options_.proc, number, vm)) return false;
    const auto earlier = before_.find(vm);
    const auto group =
        groups_.add(process.get(), earlier == before_.end() ? GroupCounts{} : earlier->second);
    if (!group) return false;
    if (earlier != before_.end()) before_.erase(earlier);
    vms_.insert_or_assign(vm, Counted{std::move(process), *group});
    return true;
  }

  /// The thread: programs that have closed are looked after at once, since that is what bounds
  /// their cost.
  void tend() {
    for (;;) {
      pollfd events[] = {{stop_.get(), POLLIN, 0}, {groups_.eventFd(), POLLIN, 0}};
      if (::poll(events, std::size(events), -1) < 0 && errno != EINTR) return;
      if (events[0].revents != 0) return;
      const std::lock_guard lock(mutex_);
      if (groups_.isRunning()) groups_.tend();
    }
  }

  const EmulatorProbeOptions options_;
  Descriptor stop_;
  std::mutex mutex_;  ///< of all that follows
  ebpf::Groups groups_;
  EmulatorSeries series_;
  std::string failure_;
  std::map<Uuid, Counted> vms_;
  std::map<Uuid, GroupCounts> before_;  ///< of VMs whose process ended
  std::set<Uuid> not_found_;
  Time searched_{};
  Time wanted_{};
  std::thread thread_;
};

}  // namespace

std::unique_ptr<EmulatorProbe> kernelEmulatorProbe(EmulatorProbeOptions options) {
  return std::make_unique<KernelEmulatorProbe>(std::move(options));
}

}  // namespace virtseer::collect

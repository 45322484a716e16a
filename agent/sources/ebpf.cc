// The source that runs programs in the kernel. A child loads them (ebpf_loaded.h); here they are
// attached, paid for (ebpf_duty.h), and what they count is told (ebpf_accounts.h).
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <memory>

#include "agent/clock.h"
#include "agent/source.h"
#include "agent/sources/ebpf_accounts.h"
#include "agent/sources/ebpf_part.h"

namespace virtseer::agent {
namespace {

using namespace ebpf;

constexpr std::size_t kMostUprobes = 16;
constexpr std::array<const char*, bpf::PARTS> kPartNames{"syscalls",    "sched",    "block",
                                                         "connections", "services", "library"};
/// What a run takes where counting a system call takes kReferenceNs, until it is measured.
constexpr std::array<double, bpf::PARTS> kRunNs{110, 60, 250, 300, 250, 2500};
constexpr double kReferenceNs = 110;
/// Getting to a program, which the kernel does not count as the program's time.
constexpr std::array<double, bpf::PARTS> kDispatchNs{40, 15, 15, 15, 15, 1500};
/// Every so many rounds, for one round, the kernel measures what the programs take.
constexpr std::uint64_t kMeasureEvery = 24;

class EbpfSource : public Source {
 public:
  explicit EbpfSource(const Config& config) : wanted_(config.ebpf), uprobes_(config.uprobes) {
    if (uprobes_.size() > kMostUprobes) uprobes_.resize(kMostUprobes);
    accounts_[bpf::PART_SYSCALLS] = makeSyscallAccount();
    accounts_[bpf::PART_SCHED] = makeSchedAccount();
    accounts_[bpf::PART_BLOCK] = makeBlockAccount();
    accounts_[bpf::PART_CONNECTIONS] = makeConnectionAccount();
    accounts_[bpf::PART_SERVICES] = makeServiceAccount();
    accounts_[bpf::PART_LIBRARY] = makeLibraryAccount(uprobes_);
    duty_columns_.fill(kNoColumn);
    cost_columns_.fill(kNoColumn);
    dropped_columns_.fill(kNoColumn);
  }

  std::string_view name() const override { return "ebpf"; }

  std::expected<void, std::string> open(const std::string& root) override {
    if (!wanted_) return std::unexpected("off by the configuration");
    events_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
    timer_ = Descriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!events_ || !timer_) return std::unexpected(errorText(errno));
    watch(timer_.get());
    if (root.empty())
      start();
    else
      failure_ = "programs see the running kernel alone";
    return {};
  }

  int eventFd() const override { return events_.get(); }

  void attend() override {
    if (loader_.isRunning() && loader_.receive(monoMs())) begin(loader_.take());
    if (!running_) return;
    boards_.takeClosings();
    bool closed = false;
    for (Part& part : parts_) closed |= part.noticeClosing(boards_);
    std::uint64_t expired = 0;
    if (::read(timer_.get(), &expired, sizeof expired) == sizeof expired) {
      timed_ = false;
      openClosed();
    }
    if (closed && !timed_) setTimer();
  }

  void select(bool on) override {
    if (!on)
      stop();
    else if (!running_ && !loader_.isRunning())
      start();
  }

  void read(Round& round) override {
    if (!events_) return;
    attend();
    if (!running_) return;
    const std::int64_t now = monoNs();
    round_ns_ = std::clamp<std::int64_t>(now - read_ns_, 200'000'000, 60'000'000'000);
    read_ns_ = now;
    for (Part& part : parts_) {
      part.setRound(round_ns_);
      part.settle(boards_);
    }
    share();
    measure();
    for (Part& part : parts_) tell(round, part, now);
    ++rounds_;
  }

  std::string trouble() const override {
    if (!failure_.empty()) return failure_;
    if (loader_.isRunning()) return "programs are being loaded";
    std::string all;
    for (std::size_t i = 0; i < bpf::PARTS; ++i)
      if (!troubles_[i].empty())
        all += (all.empty() ? "" : "; ") + std::string(kPartNames[i]) + ": " + troubles_[i];
    return all;
  }

 private:
  void watch(int fd) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, fd, &event);
  }

  void start() {
    failure_ = missingRights();
    if (!failure_.empty()) return;
    failure_ = loader_.start(uprobes_, monoMs());
    if (failure_.empty()) watch(loader_.fd());
  }

  /// Detaches and unloads everything: the kernel does as the last descriptor is closed.
  void stop() {
    running_ = false;
    loader_.stop();
    for (const Part& part : parts_) {
      spent_before_[part.id()] += part.duty().spentSeconds();
      dropped_before_[part.id()] += part.unlisted(boards_);
    }
    statistics_.reset();
    parts_.clear();
    boards_ = {};
    loaded_ = {};
  }

  void begin(Loaded loaded) {
    failure_ = loaded.failure.empty() ? boards_.open(loaded) : loaded.failure;
    troubles_ = loaded.troubles;
    if (!failure_.empty()) return;
    loaded_ = std::move(loaded);
    const std::int64_t now = monoNs();
    const double speed =
        loaded_.syscall_ns > 0 ? std::max(loaded_.syscall_ns / kReferenceNs, 0.5) : 1;
    slowness_ = std::min(speed, 100.0);
    for (std::size_t id = 0; id < bpf::PARTS; ++id) makePart(static_cast<bpf::part>(id), now);
    watch(loaded_.maps[kClosingsMap].get());
    read_ns_ = now;
    running_ = true;
    statistics_ = Descriptor(bpf_enable_stats(BPF_STATS_RUN_TIME));
    for (Part& part : parts_) part.beginMeasuring();
  }

  void makePart(bpf::part id, std::int64_t now) {
    Part part(id, kRunNs[id] * slowness_, now);
    std::size_t programs = 0;
    for (Loaded::Program& program : loaded_.programs) {
      if (program.part != id) continue;
      part.add(std::move(program.fd), program.slow, std::move(program.link));
      ++programs;
    }
    if (id == bpf::PART_LIBRARY) {
      if (loaded_.functions.empty()) return;
      for (const auto& function : loaded_.functions)
        if (function.index < uprobes_.size())
          part.addFunction(uprobes_[function.index].path, function.offset, function.index);
    }
    if (programs == 0) return;
    accounts_[id]->restart(loaded_);
    part.begin(boards_);
    openPart(part);
    if (part.duty().isOpen()) parts_.push_back(std::move(part));
  }

  void openPart(Part& part) {
    const std::string failure = part.open(boards_);
    if (!failure.empty()) troubles_[part.id()] = failure;
  }

  void openClosed() {
    for (Part& part : parts_) {
      if (part.duty().isOpen()) continue;
      part.settle(boards_);
      if (part.isWorthOpening()) openPart(part);
    }
  }

  /// About twice a round and at no fixed beat, so that nothing in step with the rounds is missed.
  void setTimer() {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    const double part = 0.25 + 0.5 * static_cast<double>(random_ >> 40) / (1 << 24);
    const auto ns = static_cast<std::int64_t>(static_cast<double>(round_ns_) * part);
    itimerspec when{};
    when.it_value.tv_sec = ns / 1'000'000'000;
    when.it_value.tv_nsec = ns % 1'000'000'000;
    timed_ = ::timerfd_settime(timer_.get(), 0, &when, nullptr) == 0;
  }

  /// What parts with little to do cannot use goes to those that have more than they can pay for.
  void share() {
    double surplus = 0;
    for (Part& part : parts_) surplus += part.takeSurplus();
    const auto in_need = std::count_if(parts_.begin(), parts_.end(),
                                       [](const Part& part) { return part.duty().isShort(); });
    for (Part& part : parts_)
      if (part.duty().isShort()) part.receive(boards_, surplus / static_cast<double>(in_need));
  }

  void measure() {
    if (statistics_) {
      for (Part& part : parts_) part.learnCost(kDispatchNs[part.id()] * slowness_);
      statistics_.reset();
    } else if (rounds_ % kMeasureEvery == 0) {
      for (Part& part : parts_) part.beginMeasuring();
      statistics_ = Descriptor(bpf_enable_stats(BPF_STATS_RUN_TIME));
    }
  }

  void tell(Round& round, Part& part, std::int64_t now) {
    const bpf::part id = part.id();
    const auto taken = part.take(now);
    if (taken) accounts_[id]->count(boards_, *taken);
    accounts_[id]->tell(round, taken.has_value());
    const auto set = [&](Column& column, const char* metric, double value) {
      if (column == kNoColumn) column = round.columns.add(metric, {{"part", kPartNames[id]}});
      round.row.set(column, value);
    };
    const auto thousandths = [](double value) { return std::round(value * 1000) / 1000; };
    set(duty_columns_[id], "guest_ebpf_duty_ratio", thousandths(part.duty().openRatio()));
    set(cost_columns_[id], "guest_ebpf_cost_seconds_total",
        thousandths(spent_before_[id] + part.duty().spentSeconds()));
    const auto dropped = static_cast<double>(dropped_before_[id] + part.unlisted(boards_));
    if (dropped > 0) set(dropped_columns_[id], "guest_ebpf_dropped_total", dropped);
  }

  bool wanted_;
  std::vector<Config::Uprobe> uprobes_;
  std::array<std::unique_ptr<Account>, bpf::PARTS> accounts_;
  std::array<std::string, bpf::PARTS> troubles_;
  std::string failure_;
  Descriptor events_;
  Descriptor timer_;
  Loader loader_;
  Loaded loaded_;
  Boards boards_;
  std::vector<Part> parts_;
  Descriptor statistics_;  ///< while it is open the kernel measures the programs
  bool running_ = false;
  bool timed_ = false;
  double slowness_ = 1;
  std::int64_t read_ns_ = 0;
  std::int64_t round_ns_ = 5'000'000'000;
  std::uint64_t rounds_ = 1;
  std::uint64_t random_ = 0x9e3779b97f4a7c15;
  std::array<double, bpf::PARTS> spent_before_{};  ///< in the runs before this loading
  std::array<std::uint64_t, bpf::PARTS> dropped_before_{};
  std::array<Column, bpf::PARTS> duty_columns_;
  std::array<Column, bpf::PARTS> cost_columns_;
  std::array<Column, bpf::PARTS> dropped_columns_;
};

}  // namespace

SourcePointer makeEbpfSource(const Config& config) {
  return std::make_unique<EbpfSource>(config);
}

}  // namespace virtseer::agent

// The source that runs programs in the kernel. A child loads them (ebpf_loaded.h); here they are
// attached, paid for (ebpf_duty.h), and what they count is told (ebpf_accounts.h).
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

constexpr std::array<const char*, bpf::PARTS> kPartNames{"syscalls",    "sched",    "block",
                                                         "connections", "services", "library"};
/// What a run takes where counting a system call takes kReferenceNs, until some were timed.
constexpr std::array<double, bpf::PARTS> kRunNs{135, 60, 250, 300, 250, 2500};
constexpr double kReferenceNs = 135;
/// Getting to a program and back.
constexpr std::array<double, bpf::PARTS> kDispatchNs{40, 20, 20, 20, 20, 1500};
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLongestRoundNs = 60 * kSecond;
/// Programs that were closed are tried again within this time.
constexpr std::int64_t kLongestWaitNs = 5 * kSecond;

class EbpfSource : public Source {
 public:
  EbpfSource(const Config& config, std::vector<std::string> avoided)
      : wanted_(config.ebpf), uprobes_(config.uprobes), avoided_(std::move(avoided)) {
    if (uprobes_.size() > Config::kMaxUprobes) uprobes_.resize(Config::kMaxUprobes);
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
    if (!root.empty()) return std::unexpected("programs see the running kernel alone");
    events_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
    timer_ = Descriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!events_ || !timer_) return std::unexpected(errorText(errno));
    watch(timer_.get());
    start();
    return {};
  }

  int eventFd() const override { return events_.get(); }

  void attend() override {
    if (loader_.isRunning() && loader_.receive(monoMs())) begin(loader_.take());
    if (running_) tend();
  }

  void select(bool on) override {
    if (!on)
      stop();
    else if (!running_ && !loader_.isRunning())
      start();
  }

  void read(Round& round) override {
    attend();
    if (!running_) return;
    const std::int64_t now = monoNs();
    round_ns_ = std::clamp<std::int64_t>(now - read_ns_, 200'000'000, kLongestRoundNs);
    read_ns_ = now;
    for (Part& part : parts_) {
      if (const auto taken = part.take(boards_, now)) accounts_[part.id()]->count(boards_, *taken);
      tell(round, part, now);
    }
  }

  std::string trouble() const override {
    if (!failure_.empty()) return failure_;
    if (loader_.isRunning()) return "programs are being loaded";
    std::string all;
    for (std::size_t i = 0; i < bpf::PARTS; ++i)
      for (const std::string& trouble : {loaded_.troubles[i], attaching_troubles_[i]})
        if (!trouble.empty())
          all += (all.empty() ? "" : "; ") + std::string(kPartNames[i]) + ": " + trouble;
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
    failure_ = loader_.start(uprobes_, avoided_, monoMs());
    if (failure_.empty()) watch(loader_.fd());
  }

  /// Detaches and unloads everything: the kernel does as the last descriptor is closed.
  void stop() {
    running_ = false;
    loader_.stop();
    for (Part& part : parts_) {
      part.detach();
      spent_before_[part.id()] += part.duty().spentSeconds();
      dropped_before_[part.id()] += part.unlisted(boards_);
    }
    parts_.clear();
    boards_ = {};
    loaded_ = {};
  }

  void begin(Loaded loaded) {
    failure_ = loaded.failure.empty() ? boards_.open(loaded) : loaded.failure;
    if (!failure_.empty()) return;
    loaded_ = std::move(loaded);
    attaching_troubles_ = {};
    const double speed =
        loaded_.syscall_ns > 0 ? std::max(loaded_.syscall_ns / kReferenceNs, 0.5) : 1;
    slowness_ = std::min(speed, 100.0);
    for (std::size_t id = 0; id < bpf::PARTS; ++id) makePart(static_cast<bpf::part>(id));
    watch(loaded_.maps[kClosingsMap].get());
    read_ns_ = monoNs();
    running_ = true;
    setTimer();
  }

  void makePart(bpf::part id) {
    Part part(id, kRunNs[id] * slowness_, kDispatchNs[id] * slowness_, monoNs());
    std::size_t programs = 0;
    for (Loaded::Program& program : loaded_.programs) {
      if (program.part != id) continue;
      part.add(std::move(program.fd), program.slow);
      ++programs;
    }
    if (id == bpf::PART_LIBRARY) {
      if (loaded_.functions.empty()) return;
      for (const auto& function : loaded_.functions)
        if (function.index < uprobes_.size())
          part.addFunction(uprobes_[function.index].name, uprobes_[function.index].path,
                           function.offset, function.index);
    }
    if (programs == 0) return;
    part.begin(boards_);
    part.attach();
    if (id == bpf::PART_LIBRARY)
      std::erase_if(loaded_.functions,
                    [&](const auto& function) { return !part.isAttached(function.index); });
    accounts_[id]->restart(loaded_);
    openPart(part);
    if (part.duty().isOpen()) parts_.push_back(std::move(part));
  }

  /// Runs that processors had taken when the gate closed counted on meanwhile. What is counted next
  /// stands for that time: it must not be told twice.
  void openPart(Part& part) {
    part.attach();
    attaching_troubles_[part.id()] = part.trouble();
    if (!part.isAttached()) return;
    accounts_[part.id()]->count(boards_, {0, 0});
    part.open(boards_);
  }

  /// Looks after gates that have closed and times that are over. What costs is ended first.
  void tend() {
    boards_.takeClosings();
    std::uint64_t expired = 0;
    (void)!::read(timer_.get(), &expired, sizeof expired);
    for (Part& part : parts_) {
      part.notice(boards_);
      part.settle(boards_);
    }
    share();
    const std::int64_t now = monoNs();
    for (Part& part : parts_)
      if (!part.mayOpen(now)) part.rest(now);
    for (Part& part : parts_)
      if (const auto taken = part.takeEnded(now)) accounts_[part.id()]->count(boards_, *taken);
    for (Part& part : parts_) {
      if (part.mayOpen(now)) openPart(part);
      if (!part.duty().isOpen() && part.dueNs() <= now) part.pause(now + someTime());
    }
    setTimer();
  }

  /// About twice a round and at no fixed beat, so that nothing in step with the rounds is missed.
  std::int64_t someTime() {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    const double part = 0.25 + 0.5 * static_cast<double>(random_ >> 40) / (1 << 24);
    return static_cast<std::int64_t>(static_cast<double>(std::min(round_ns_, kLongestWaitNs)) *
                                     part);
  }

  void setTimer() {
    std::int64_t due = INT64_MAX;
    for (const Part& part : parts_) due = std::min(due, part.dueNs());
    itimerspec when{};  // zero: none
    if (due != INT64_MAX) {
      when.it_value.tv_sec = std::max<std::int64_t>(due, 1) / kSecond;
      when.it_value.tv_nsec = std::max<std::int64_t>(due, 1) % kSecond;
    }
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
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

  void tell(Round& round, Part& part, std::int64_t now) {
    const bpf::part id = part.id();
    accounts_[id]->tell(round);
    const auto set = [&](Column& column, const char* metric, double value) {
      if (column == kNoColumn) column = round.columns.add(metric, {{"part", kPartNames[id]}});
      round.row.set(column, value);
    };
    const auto thousandths = [](double value) { return std::round(value * 1000) / 1000; };
    set(duty_columns_[id], "guest_ebpf_duty_ratio", thousandths(part.takeOpenRatio(now)));
    set(cost_columns_[id], "guest_ebpf_cost_seconds_total",
        thousandths(spent_before_[id] + part.duty().spentSeconds()));
    const auto dropped = static_cast<double>(dropped_before_[id] + part.unlisted(boards_));
    if (dropped > 0) set(dropped_columns_[id], "guest_ebpf_dropped_total", dropped);
  }

  bool wanted_;
  std::vector<Config::Uprobe> uprobes_;
  std::vector<std::string> avoided_;
  std::array<std::unique_ptr<Account>, bpf::PARTS> accounts_;
  std::array<std::string, bpf::PARTS> attaching_troubles_;
  std::string failure_;
  Descriptor events_;
  Descriptor timer_;
  Loader loader_;
  Loaded loaded_;
  Boards boards_;
  std::vector<Part> parts_;
  bool running_ = false;
  double slowness_ = 1;
  std::int64_t read_ns_ = 0;
  std::int64_t round_ns_ = 5'000'000'000;
  std::uint64_t random_ = 0x9e3779b97f4a7c15;
  std::array<double, bpf::PARTS> spent_before_{};  ///< in the runs before this loading
  std::array<std::uint64_t, bpf::PARTS> dropped_before_{};
  std::array<Column, bpf::PARTS> duty_columns_;
  std::array<Column, bpf::PARTS> cost_columns_;
  std::array<Column, bpf::PARTS> dropped_columns_;
};

}  // namespace

SourcePointer makeEbpfSource(const Config& config, std::vector<std::string> avoided) {
  return std::make_unique<EbpfSource>(config, std::move(avoided));
}

}  // namespace virtseer::agent

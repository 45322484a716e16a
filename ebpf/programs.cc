#include "ebpf/programs.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace virtseer::ebpf {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLongestRoundNs = 60 * kSecond;
/// Programs that were closed are tried again within this time.
constexpr std::int64_t kLongestWaitNs = 5 * kSecond;

}  // namespace

int Programs::open() {
  events_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  timer_ = Descriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!events_ || !timer_) return errno;
  watch(timer_.get());
  return 0;
}

void Programs::watch(int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, fd, &event);
}

std::string Programs::begin(Loaded loaded, const std::vector<Uprobe>& uprobes) {
  if (std::string failure = boards_.open(loaded); !failure.empty()) return failure;
  loaded_ = std::move(loaded);
  attaching_troubles_ = {};
  const double speed =
      loaded_.syscall_ns > 0 ? std::max(loaded_.syscall_ns / terms_.syscall_ns, 0.5) : 1;
  slowness_ = std::min(speed, 100.0);
  for (std::size_t id = 0; id < bpf::PARTS; ++id) makePart(static_cast<bpf::part>(id), uprobes);
  watch(loaded_.maps[kClosingsMap].get());
  taken_ns_ = monoNs();
  running_ = true;
  setTimer();
  return {};
}

void Programs::end() {
  running_ = false;
  for (Part& part : parts_) {
    part.detach();
    spent_before_[part.id()] += part.duty().spentSeconds();
    dropped_before_[part.id()] += part.unlisted(boards_);
  }
  parts_.clear();
  boards_ = {};
  loaded_ = {};
  setTimer();
}

std::string Programs::trouble() const {
  std::string all;
  for (std::size_t i = 0; i < bpf::PARTS; ++i)
    for (const std::string& trouble : {loaded_.troubles[i], attaching_troubles_[i]})
      if (!trouble.empty())
        all += (all.empty() ? "" : "; ") + std::string(kPartNames[i]) + ": " + trouble;
  return all;
}

void Programs::makePart(bpf::part id, const std::vector<Uprobe>& uprobes) {
  Part part(id, terms_.parts[id], slowness_, monoNs());
  std::size_t programs = 0;
  for (Loaded::Program& program : loaded_.programs) {
    if (program.part != id) continue;
    part.add(std::move(program.fd), program.slow);
    ++programs;
  }
  if (id == bpf::PART_LIBRARY) {
    if (loaded_.functions.empty()) return;
    for (const auto& function : loaded_.functions)
      if (function.index < uprobes.size())
        part.addFunction(uprobes[function.index].name, uprobes[function.index].path,
                         function.offset, function.index);
  }
  if (programs == 0) return;
  part.begin(boards_);
  part.attach();
  if (id == bpf::PART_LIBRARY)
    std::erase_if(loaded_.functions,
                  [&](const auto& function) { return !part.isAttached(function.index); });
  counting_.restart(id, loaded_);
  openPart(part);
  if (part.duty().isOpen()) parts_.push_back(std::move(part));
}

/// Runs that processors had taken when the gate closed counted on meanwhile. What is counted next
/// stands for that time: it must not be told twice.
void Programs::openPart(Part& part) {
  part.attach();
  attaching_troubles_[part.id()] = part.trouble();
  if (!part.isAttached()) return;
  counting_.count(part.id(), boards_, {0, 0});
  part.open(boards_);
}

void Programs::tend() {
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
    if (const auto taken = part.takeEnded(now)) counting_.count(part.id(), boards_, *taken);
  for (Part& part : parts_) {
    if (part.mayOpen(now)) openPart(part);
    if (!part.duty().isOpen() && part.dueNs() <= now) part.pause(now + someTime());
  }
  setTimer();
}

void Programs::take() {
  const std::int64_t now = monoNs();
  round_ns_ = std::clamp<std::int64_t>(now - taken_ns_, 200'000'000, kLongestRoundNs);
  taken_ns_ = now;
  for (Part& part : parts_)
    if (const auto taken = part.take(boards_, now)) counting_.count(part.id(), boards_, *taken);
}

/// About twice a round and at no fixed beat, so that nothing in step with the rounds is missed.
std::int64_t Programs::someTime() {
  random_ = random_ * 6364136223846793005u + 1442695040888963407u;
  const double part = 0.25 + 0.5 * static_cast<double>(random_ >> 40) / (1 << 24);
  return static_cast<std::int64_t>(static_cast<double>(std::min(round_ns_, kLongestWaitNs)) * part);
}

void Programs::setTimer() {
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
void Programs::share() {
  double surplus = 0;
  for (Part& part : parts_) surplus += part.takeSurplus();
  const auto in_need = std::count_if(parts_.begin(), parts_.end(),
                                     [](const Part& part) { return part.duty().isShort(); });
  for (Part& part : parts_)
    if (part.duty().isShort()) part.receive(boards_, surplus / static_cast<double>(in_need));
}

}  // namespace virtseer::ebpf

#include "ebpf/part.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <memory>
#include <utility>

namespace virtseer::ebpf {
namespace {

/// What a run that finds its gate closed takes in all, by the time of getting to a program and
/// back.
constexpr double kRefusal = 1.6;

/// Newer kernels let programs watch functions of others for administrators alone.
constexpr const char* kFunctionRight = "this kernel wants CAP_SYS_ADMIN for it";

double threadNs() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

constexpr std::int64_t kNever = INT64_MAX;
/// What is counted in these first moments stands for the time before, in which nothing was; what
/// follows stands for itself alone. They are short, so that a burst does not begin within them only
/// to end them: else what is cut off when it grows would be taken for how it was all the time.
constexpr std::int64_t kMomentsNs = 50'000'000;

/// The kernel's number for events of this kind, as perf_event_open takes it.
std::optional<std::uint32_t> uprobeType() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen("/sys/bus/event_source/devices/uprobe/type", "re"), std::fclose);
  std::uint32_t type = 0;
  if (!file || std::fscanf(file.get(), "%u", &type) != 1) return std::nullopt;
  return type;
}

Descriptor attachFunction(int program, const std::string& path, std::uint64_t offset,
                          std::uint32_t index) {
  const auto type = uprobeType();
  if (!type) return {};
  perf_event_attr what{};
  what.size = sizeof what;
  what.type = *type;
  what.config1 = reinterpret_cast<std::uintptr_t>(path.c_str());
  what.config2 = offset;
  const Descriptor event(
      static_cast<int>(::syscall(SYS_perf_event_open, &what, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!event) return {};
  bpf_link_create_opts options{};
  options.sz = sizeof options;
  options.perf_event.bpf_cookie = index;
  Descriptor link(bpf_link_create(program, event.get(), BPF_PERF_EVENT, &options));
  if (link && ::ioctl(event.get(), PERF_EVENT_IOC_ENABLE, 0) != 0) return {};
  return link;
}

/// Closes all descriptors of this process above 2 but these.
void closeAllBut(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  int first = 3;
  for (const int fd : kept) {
    if (fd > first) ::close_range(static_cast<unsigned>(first), static_cast<unsigned>(fd - 1), 0);
    first = std::max(first, fd + 1);
  }
  ::close_range(static_cast<unsigned>(first), ~0u, 0);
}

/// Lets a child drop the last hold on `links`, and wait there until nobody is in the watched
/// functions any more. It holds nothing else: other parts must be able to detach meanwhile.
void dropElsewhere(std::vector<Descriptor>& links) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return links.clear();
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<int> kept{ends[0]};
    for (const Descriptor& link : links) kept.push_back(link.get());
    closeAllBut(std::move(kept));
    char byte;
    while (::read(ends[0], &byte, 1) < 0 && errno == EINTR) {
    }
    ::_exit(0);
  }
  links.clear();
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace

Part::Part(bpf::part id, const PartTerms& terms, double slowness, std::int64_t now_ns)
    : id_(id),
      dispatch_ns_(terms.dispatch_ns * slowness),
      duty_({terms.share, terms.saved_ns, terms.run_ns * slowness, dispatch_ns_ * kRefusal},
            now_ns) {}

void Part::add(Descriptor program, bool slow) {
  programs_.push_back(std::move(program));
  slow_ |= slow;
}

void Part::attach() {
  if (isAttached()) return;
  const double start = threadNs();
  if (functions_.empty())
    attachPrograms();
  else
    attachFunctions();
  if (!std::exchange(first_, false)) toggling_ns_ += threadNs() - start;
}

/// A part's programs need each other.
void Part::attachPrograms() {
  trouble_.clear();
  for (const Descriptor& program : programs_) {
    links_.emplace_back(bpf_raw_tracepoint_open(nullptr, program.get()));
    if (links_.back()) continue;
    trouble_ = "cannot be attached: " + errorText(errno);
    links_.pop_back();
    return dropLinks();
  }
}

/// Functions are independent of each other.
void Part::attachFunctions() {
  std::string names;
  int error = 0;
  for (Function& function : functions_) {
    Descriptor link =
        attachFunction(programs_.front().get(), function.path, function.offset, function.index);
    function.attached = static_cast<bool>(link);
    if (link) {
      links_.push_back(std::move(link));
      continue;
    }
    error = errno;
    names += (names.empty() ? "" : ", ") + function.name;
  }
  trouble_.clear();
  if (names.empty()) return;
  const bool refused = error == EACCES || error == EPERM;
  trouble_ =
      names + " cannot be attached: " + (refused ? std::string(kFunctionRight) : errorText(error));
}

/// Whoever drops the last hold on slow links waits for all processors.
void Part::dropLinks() {
  if (slow_ && !links_.empty()) dropElsewhere(links_);
  links_.clear();
}

bool Part::isAttached(std::uint32_t function) const {
  return std::any_of(functions_.begin(), functions_.end(), [&](const Function& candidate) {
    return candidate.index == function && candidate.attached;
  });
}

void Part::detach() {
  if (!isAttached()) return;
  const double start = threadNs();
  dropLinks();
  toggling_ns_ += threadNs() - start;
}

void Part::begin(const Boards& boards) {
  for (const auto& cpu : boards.cpus()) {
    runs_ += peek(cpu.parts[id_].runs);
    refused_ += peek(cpu.parts[id_].refused);
    timed_ += peek(cpu.parts[id_].timed);
    timed_ns_ += peek(cpu.parts[id_].timed_ns);
  }
  __atomic_store_n(&gate(boards).closed_ns, 1, __ATOMIC_RELEASE);
}

void Part::open(const Boards& boards) {
  bpf::gate& own = gate(boards);
  const std::int64_t now = monoNs();
  const std::int64_t gap = duty_.opened(now);
  due_ns_ = gap < kMomentsNs ? kNever : now + kMomentsNs;
  __atomic_store_n(&own.runs_left, duty_.runs(), __ATOMIC_RELAXED);
  __atomic_store_n(&own.opened_ns, static_cast<std::uint64_t>(now), __ATOMIC_RELAXED);
  __atomic_store_n(&own.closed_ns, 0, __ATOMIC_RELEASE);
}

void Part::notice(const Boards& boards) {
  const auto closed_ns = static_cast<std::int64_t>(peek(gate(boards).closed_ns));
  if (!duty_.isOpen() || closed_ns == 0) return;
  ended_ = duty_.closed(closed_ns);
  closed_ns_ = closed_ns;
  refused_at_closing_ = refused_;
  due_ns_ = 0;
}

void Part::rest(std::int64_t now_ns) {
  if (duty_.isOpen() || links_.empty()) return;
  if (duty_.worthDetaching(refused_ - refused_at_closing_, now_ns - closed_ns_)) detach();
}

std::optional<Duty::Taken> Part::takeEnded(std::int64_t now_ns) {
  if (ended_) return std::exchange(ended_, std::nullopt);
  if (!duty_.isOpen() || now_ns < due_ns_) return std::nullopt;
  due_ns_ = kNever;
  return duty_.take(now_ns);
}

std::optional<Duty::Taken> Part::take(const Boards& boards, std::int64_t now_ns) {
  const bool moments = due_ns_ != kNever && now_ns < due_ns_;
  if (!duty_.isOpen() || moments) return std::nullopt;
  const auto closed_ns = static_cast<std::int64_t>(peek(gate(boards).closed_ns));
  return duty_.take(closed_ns == 0 ? now_ns : std::min(now_ns, closed_ns));
}

void Part::settle(const Boards& boards) {
  std::uint64_t runs = 0, refused = 0, timed = 0, timed_ns = 0;
  for (const auto& cpu : boards.cpus()) {
    runs += peek(cpu.parts[id_].runs);
    refused += peek(cpu.parts[id_].refused);
    timed += peek(cpu.parts[id_].timed);
    timed_ns += peek(cpu.parts[id_].timed_ns);
  }
  learnCost(timed - timed_, timed_ns - timed_ns_);
  duty_.spend(monoNs(), runs - runs_, refused - refused_, toggling_ns_);
  runs_ = runs;
  refused_ = refused;
  timed_ = timed;
  timed_ns_ = timed_ns;
  toggling_ns_ = 0;
  if (duty_.isOpen()) __atomic_store_n(&gate(boards).runs_left, duty_.runs(), __ATOMIC_RELAXED);
}

/// Runs that come seldom find cold caches and cost several times as much: what counts is what was
/// timed of late, the more the more of it there is.
void Part::learnCost(std::uint64_t timed, std::uint64_t timed_ns) {
  constexpr double kRemembered = 8;
  if (timed == 0) return;
  const auto count = static_cast<double>(timed);
  const double cost = static_cast<double>(timed_ns) / count + dispatch_ns_;
  duty_.setRunCost((duty_.runCost() * kRemembered + cost * count) / (kRemembered + count));
}

void Part::receive(const Boards& boards, double ns) {
  duty_.receive(ns);
  if (duty_.isOpen()) __atomic_store_n(&gate(boards).runs_left, duty_.runs(), __ATOMIC_RELAXED);
}

std::uint64_t Part::unlisted(const Boards& boards) const {
  std::uint64_t sum = 0;
  for (const auto& cpu : boards.cpus()) sum += peek(cpu.parts[id_].unlisted);
  return sum;
}

}  // namespace virtseer::ebpf

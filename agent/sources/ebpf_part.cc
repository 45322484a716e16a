#include "agent/sources/ebpf_part.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

#include "agent/scan.h"

namespace virtseer::agent::ebpf {
namespace {

/// Together they stay below 1 %, with room for the moment between a gate's closing and the agent.
constexpr std::array<double, bpf::PARTS> kShares{0.0025, 0.0015, 0.0010, 0.0005, 0.0015, 0.0010};

/// Of a run that finds its gate closed; a function's call goes through a trap in any case.
constexpr double kRefusalPart = 0.4;
constexpr double kRefusedTrapPart = 0.95;

double threadNs() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

/// The kernel's number for events of this kind, as perf_event_open takes it.
std::optional<std::uint32_t> uprobeType() {
  const auto text = readFile("/sys/bus/event_source/devices/uprobe/type");
  const auto type = text ? parseNumber(*text) : std::nullopt;
  if (!type) return std::nullopt;
  return static_cast<std::uint32_t>(*type);
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

/// Lets a child drop the last hold on `links`, and wait there until nobody is in the watched
/// functions any more.
void dropElsewhere(std::vector<Descriptor>& links) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return links.clear();
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[1]);
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

double shareOf(bpf::part id) {
  return kShares[id];
}

Part::Part(bpf::part id, double run_ns, std::int64_t now_ns)
    : id_(id),
      duty_(kShares[id], run_ns, id == bpf::PART_LIBRARY ? kRefusedTrapPart : kRefusalPart,
            now_ns) {}

void Part::add(Descriptor program, bool slow, Descriptor link) {
  programs_.push_back(std::move(program));
  slow_ |= slow;
  if (link) links_.push_back(std::move(link));
}

/// What attaching and detaching is paid by: processor time, or the time that the agent stands
/// still.
double Part::toggleClock() const {
  return slow_ ? static_cast<double>(monoNs()) : threadNs();
}

std::string Part::attach() {
  if (links_.size() == std::max(programs_.size(), functions_.size())) return {};
  links_.clear();
  const double start = toggleClock();
  if (functions_.empty())
    for (const Descriptor& program : programs_)
      links_.emplace_back(bpf_raw_tracepoint_open(nullptr, program.get()));
  for (const Function& function : functions_)
    links_.push_back(
        attachFunction(programs_.front().get(), function.path, function.offset, function.index));
  const int error = errno;
  std::size_t failed = 0;
  for (const Descriptor& link : links_) failed += !link;
  // Functions are independent of each other; a part's other programs are not.
  const bool lost = failed == links_.size() || (functions_.empty() && failed > 0);
  if (lost) links_.clear();
  if (!std::exchange(first_, false)) toggling_ns_ += toggleClock() - start;
  return failed > 0 ? "cannot be attached: " + errorText(error) : std::string();
}

void Part::detach() {
  if (links_.empty()) return;
  const double start = toggleClock();
  if (slow_)
    dropElsewhere(links_);
  else
    links_.clear();
  toggling_ns_ += toggleClock() - start;
}

void Part::begin(const Boards& boards) {
  for (const auto& cpu : boards.cpus()) {
    runs_ += peek(cpu.runs[id_]);
    refused_ += peek(cpu.refused[id_]);
  }
}

std::string Part::open(const Boards& boards) {
  bpf::gate& own = gate(boards);
  __atomic_store_n(&own.runs_left, duty_.runs(), __ATOMIC_RELAXED);
  __atomic_store_n(&own.closed_ns, 0, __ATOMIC_RELEASE);
  std::string failure = attach();
  if (links_.empty()) return failure;
  duty_.opened(monoNs());
  return failure;
}

bool Part::noticeClosing(const Boards& boards) {
  const auto closed_ns = static_cast<std::int64_t>(peek(gate(boards).closed_ns));
  if (duty_.isOpen()) {
    if (closed_ns == 0) return false;
    refused_at_closing_ = refused_;
    duty_.closed(closed_ns);
  }
  if (links_.empty()) return true;
  settle(boards);
  if (duty_.worthDetaching(refused_ - refused_at_closing_)) detach();
  return true;
}

void Part::settle(const Boards& boards) {
  std::uint64_t runs = 0, refused = 0;
  for (const auto& cpu : boards.cpus()) {
    runs += peek(cpu.runs[id_]);
    refused += peek(cpu.refused[id_]);
  }
  duty_.spend(monoNs(), runs - runs_, refused - refused_, toggling_ns_);
  runs_ = runs;
  refused_ = refused;
  toggling_ns_ = 0;
  if (duty_.isOpen()) __atomic_store_n(&gate(boards).runs_left, duty_.runs(), __ATOMIC_RELAXED);
}

void Part::receive(const Boards& boards, double ns) {
  duty_.receive(ns);
  if (duty_.isOpen()) __atomic_store_n(&gate(boards).runs_left, duty_.runs(), __ATOMIC_RELAXED);
}

Part::Measured Part::measured() const {
  Measured sum;
  for (const Descriptor& program : programs_) {
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) continue;
    sum.time_ns += info.run_time_ns;
    sum.runs += info.run_cnt;
  }
  return sum;
}

void Part::beginMeasuring() {
  measured_before_ = measured();
  measured_before_->counted = runs_;
  measured_before_->refused = refused_;
}

void Part::learnCost(double dispatch_ns) {
  constexpr std::uint64_t kEnough = 100;
  if (!measured_before_) return;
  const Measured now = measured();
  const std::uint64_t runs = now.runs - measured_before_->runs;
  const auto counted = static_cast<double>(runs_ - measured_before_->counted);
  const auto refused = static_cast<double>(refused_ - measured_before_->refused);
  if (runs >= kEnough && counted > 0) {
    // The kernel's mean is over both kinds of runs; a refused one is worth a part of the other.
    const double whole = (counted + refused * duty_.refusalPart()) / (counted + refused);
    const auto time = static_cast<double>(now.time_ns - measured_before_->time_ns);
    duty_.setRunCost(time / (static_cast<double>(runs) * whole) + dispatch_ns);
  }
  measured_before_.reset();
}

std::uint64_t Part::unlisted(const Boards& boards) const {
  std::uint64_t sum = 0;
  for (const auto& cpu : boards.cpus()) sum += peek(cpu.unlisted[id_]);
  return sum;
}

}  // namespace virtseer::agent::ebpf

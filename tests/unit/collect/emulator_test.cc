#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <mutex>

#include "collect/emulator_probe.h"
#include "collect/emulator_processes.h"
#include "collect/emulator_series.h"
#include "collect/emulator_watch.h"
#include "unit/collect/bench.h"

using namespace virtseer;
using namespace virtseer::collect;
namespace fs = std::filesystem;

namespace {

/// A folder like /proc, gone at the end.
class ProcTree {
 public:
  ProcTree() {
    char path[] = "/tmp/virtseer-proc-XXXXXX";
    REQUIRE(::mkdtemp(path));
    root_ = path;
  }
  ProcTree(const ProcTree&) = delete;
  ProcTree& operator=(const ProcTree&) = delete;
  ~ProcTree() { fs::remove_all(root_); }

  void add(const std::string& process, const std::string& name,
           const std::vector<std::string>& arguments, int start) {
    fs::create_directory(root_ / process);
    std::ofstream command(root_ / process / "cmdline");
    for (const auto& argument : arguments) command << argument << '\0';
    std::ofstream stat(root_ / process / "stat");
    stat << process << " (" << name << ") S 1";
    for (int field = 5; field < 22; ++field) stat << " 0";
    stat << ' ' << start << " 0 0\n";
  }
  const fs::path& root() const { return root_; }

 private:
  fs::path root_;
};

/// A probe that says what a test has it say, and keeps what it was asked.
struct FakeProbe : EmulatorProbe {
  EmulatorLook look(const std::set<Uuid>& vms) override {
    const std::lock_guard lock(mutex);
    asked.push_back(vms);
    auto out = answer;
    std::erase_if(out.vms, [&](const auto& each) { return !vms.contains(each.first); });
    return out;
  }
  std::mutex mutex;
  std::vector<std::set<Uuid>> asked;
  EmulatorLook answer;
};

Vm qemuVm(Uuid uuid, VmState state = VmState::running) {
  auto vm = runningVm(uuid, "web");
  vm.environment = "qemu:///system";
  vm.state = state;
  return vm;
}

struct Bench : LoopBench {
  SystemClock clock;
  BlockingPool pool{loop.get_executor(), "vs-test", {.threads = 1, .queue = 4, .abandoned = 1}};
  std::shared_ptr<FakeProbe> probe = std::make_shared<FakeProbe>();
  std::map<Uuid, std::size_t> told;
  std::size_t host_told = 0;
  EmulatorWatch watch{clock,
                      pool,
                      probe,
                      Millis(5),
                      {.vm = [this](Uuid vm, auto values) { told[vm] += values.size(); },
                       .host = [this](auto values) { host_told += values.size(); }}};

  void start() { tasks.spawn("emulators", watch.run()); }
  std::size_t looks() {
    const std::lock_guard lock(probe->mutex);
    return probe->asked.size();
  }
  std::set<Uuid> asked() {
    const std::lock_guard lock(probe->mutex);
    return probe->asked.empty() ? std::set<Uuid>() : probe->asked.back();
  }
  bool look() {
    const auto before = looks();
    return until([&] { return looks() > before + 1; });
  }
  ~Bench() {
    end();
    CHECK(failures.empty());
  }
};

const SeriesName kCalls{
    "libvirt_domain_emulator_syscalls_total", {{"class", "read"}}, Kind::counter};

Uuid numbered(std::uint16_t number) {
  Uuid out = kVm;
  out.bytes[14] = static_cast<std::uint8_t>(number >> 8);
  out.bytes[15] = static_cast<std::uint8_t>(number);
  return out;
}

}  // namespace

TEST_CASE("the process of a VM is the first one that says so in its command line") {
  ProcTree proc;
  proc.add("10", "qemu-system-x86",
           {"/usr/bin/qemu", "-name", "guest=a", "-uuid", kVm.text(), "-S"}, 500);
  proc.add("9", "qemu ) S (", {"qemu", "-uuid", kOther.text()}, 700);
  proc.add("8", "claims", {"claims", "-uuid", kVm.text()}, 900);
  proc.add("7", "talks", {"talks", "-uuid " + kVm.text(), kVm.text()}, 1);
  proc.add("6", "cut", {"cut", "-uuid"}, 1);
  proc.add("self", "self", {"self", "-uuid", kVm.text()}, 1);
  const auto found = emulatorProcesses(proc.root(), {kVm, kOther});
  CHECK(found == std::map<Uuid, pid_t>{{kVm, 10}, {kOther, 9}});
  CHECK(emulatorProcesses(proc.root(), {kOther}) == std::map<Uuid, pid_t>{{kOther, 9}});
  CHECK(isEmulatorOf(proc.root(), 10, kVm));
  CHECK_FALSE(isEmulatorOf(proc.root(), 10, kOther));
  CHECK_FALSE(isEmulatorOf(proc.root(), 11, kVm));
  CHECK(emulatorProcesses(proc.root() / "none", {kVm}).empty());
}

TEST_CASE("what was counted is told as series, cumulative and bounded") {
  EmulatorSeries series;
  ebpf::GroupCounts counts;
  counts.calls[0] = 12.4;
  for (std::size_t i = 1; i < 40; ++i) counts.errors[i] = 1;
  counts.waits.buckets[4] = 3;
  counts.waits.buckets[5] = 2;
  counts.waits.seconds = 0.0001234;
  std::map<std::string, double> told;
  for (const auto& value : series.of(counts)) {
    CHECK(value.name->kind == Kind::counter);
    auto key = value.name->metric.substr(std::string("libvirt_domain_emulator_").size());
    for (const auto& [label, text] : value.name->labels) key += "{" + label + "=" + text + "}";
    told[key] = value.value;
  }
  CHECK(told["syscalls_total{class=read}"] == 12);
  CHECK(told["syscalls_total{class=other}"] == 0);
  CHECK(told["syscall_errors_total{errno=EPERM}"] == 1);
  CHECK(told["syscall_errors_total{errno=other}"] == 24);
  CHECK(told["runqueue_waits_total{up_to_seconds=0.000008}"] == 0);
  CHECK(told["runqueue_waits_total{up_to_seconds=0.000016}"] == 3);
  CHECK(told["runqueue_waits_total{up_to_seconds=0.000032}"] == 5);
  CHECK(told["runqueue_waits_total{up_to_seconds=+Inf}"] == 5);
  CHECK(told.size() == 8 + 16 + 4 + 1);
}

TEST_CASE("active VMs of QEMU are looked at, and what was counted is handed over") {
  Bench bench;
  const auto* calls = platform::intern(kCalls);
  bench.probe->answer.vms[kVm] = {{calls, 3}, {calls, 4}};
  bench.probe->answer.host = {{calls, 1}};
  auto container = qemuVm(numbered(9));
  container.environment = "lxc:///";
  bench.watch.setVms("qemu:///system", {qemuVm(kVm), qemuVm(kOther, VmState::shutoff)});
  bench.watch.setVms("lxc:///", {container});
  CHECK_FALSE(bench.watch.view(kVm).counted);
  bench.start();
  REQUIRE(bench.until([&] { return bench.told[kVm] >= 2; }));
  CHECK(bench.asked() == std::set<Uuid>{kVm});
  CHECK(bench.host_told >= 1);
  CHECK(bench.watch.view(kVm).counted);
  CHECK(bench.watch.view(kVm).lacking.empty());
  CHECK_FALSE(bench.watch.view(kOther).counted);

  bench.watch.setVms("qemu:///system", {qemuVm(kVm, VmState::shutoff)});
  CHECK_FALSE(bench.watch.view(kVm).counted);
  REQUIRE(bench.look());
  CHECK(bench.asked().empty());
}

TEST_CASE("why nothing is counted is said of each VM that would be, and of no other") {
  Bench bench;
  bench.probe->answer.failure = "not permitted: CAP_BPF is missing";
  bench.watch.setVms("qemu:///system", {qemuVm(kVm), qemuVm(kOther, VmState::shutoff)});
  bench.start();
  REQUIRE(bench.until([&] { return !bench.watch.view(kVm).lacking.empty(); }));
  CHECK(bench.watch.view(kVm).lacking == "not permitted: CAP_BPF is missing");
  CHECK_FALSE(bench.watch.view(kVm).counted);
  CHECK(bench.watch.view(kOther).lacking.empty());
}

TEST_CASE("a part that is lacking, and a process that is not found, are said") {
  Bench bench;
  bench.probe->answer.vms[kVm] = {};
  bench.probe->answer.trouble = "block: needs Linux 5.12";
  bench.probe->answer.lacking[kOther] = "its process is not found";
  bench.watch.setVms("qemu:///system", {qemuVm(kVm), qemuVm(kOther)});
  bench.start();
  REQUIRE(bench.until([&] { return bench.watch.view(kVm).counted; }));
  CHECK(bench.watch.view(kVm).lacking == "block: needs Linux 5.12");
  CHECK(bench.watch.view(kOther).lacking == "its process is not found");
}

TEST_CASE("VMs beyond five hundred are not looked at, and say so") {
  Bench bench;
  std::vector<Vm> vms;
  for (std::uint16_t i = 0; i < 510; ++i) vms.push_back(qemuVm(numbered(i)));
  bench.watch.setVms("qemu:///system", vms);
  bench.start();
  REQUIRE(bench.until([&] { return bench.looks() > 1; }));
  CHECK(bench.asked().size() == EmulatorWatch::kMostVms);
  CHECK(bench.watch.view(numbered(0)).lacking.empty());
  CHECK_FALSE(bench.watch.view(numbered(509)).lacking.empty());
}

namespace {

/// A process that says that it runs a VM, and writes a thousand times for each byte that it is
/// sent. It answers each with a byte.
class StandIn {
 public:
  explicit StandIn(const Uuid& vm) {
    int in[2], out[2];
    REQUIRE((::pipe2(in, O_CLOEXEC) == 0 && ::pipe2(out, O_CLOEXEC) == 0));
    const std::string uuid = vm.text();
    child_ = ::fork();
    if (child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      const char* script =
          "while read line; do i=0; while [ $i -lt 1000 ]; do echo x >&3; i=$((i+1)); done; echo; "
          "done 3>/dev/null";
      ::execl("/bin/sh", "qemu-stand-in", "-c", script, "-uuid", uuid.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
  }
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;
  ~StandIn() {
    ::close(to_);
    ::close(from_);
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  void work() const {
    char byte;
    REQUIRE(::write(to_, "\n", 1) == 1);
    REQUIRE(::read(from_, &byte, 1) == 1);
  }

 private:
  pid_t child_ = 0;
  int to_ = -1, from_ = -1;
};

double valueOf(const std::vector<NamedValue>& values, const std::string& metric,
               const Labels& labels) {
  for (const auto& value : values)
    if (value.name->metric == metric && value.name->labels == labels) return value.value;
  return -1;
}

double writesOf(const EmulatorLook& look, const Uuid& vm) {
  const auto found = look.vms.find(vm);
  return found == look.vms.end() ? -1
                                 : valueOf(found->second, "libvirt_domain_emulator_syscalls_total",
                                           {{"class", "write"}});
}

}  // namespace

TEST_CASE("what the process of a VM does is counted by the kernel, from its start to its end") {
  const auto probe = kernelEmulatorProbe();
  CHECK(probe->look({}).failure.empty());
  auto standing_in = std::make_unique<StandIn>(kVm);
  const StandIn other(kOther);
  standing_in->work();  // it runs under its own name now
  auto look = probe->look({kVm});
  INFO(look.failure << look.trouble);
  REQUIRE(look.failure.empty());
  REQUIRE(look.vms.contains(kVm));
  CHECK(look.host.size() >= 6);

  double writes = 0;
  bool exact = false;
  for (int i = 0; i < 20 && !exact; ++i) {
    const double before = writesOf(probe->look({kVm}), kVm);
    standing_in->work();
    other.work();
    look = probe->look({kVm});
    writes = writesOf(look, kVm) - before;
    const double duty = valueOf(look.host, "host_ebpf_duty_ratio", {{"part", "syscalls"}});
    exact = duty == 1 && writes > 900;
  }
  if (exact)
    CHECK(writes < 2000);
  else
    WARN("the programs had to pause all the time: nothing was exact");
  CHECK(valueOf(look.host, "host_ebpf_cost_seconds_total", {{"part", "syscalls"}}) >= 0);

  // The VM starts anew: counters go on.
  const double last = writesOf(look, kVm);
  standing_in = std::make_unique<StandIn>(kVm);
  standing_in->work();
  look = probe->look({kVm, numbered(77)});
  CHECK(writesOf(look, kVm) >= last);
  CHECK(look.lacking.contains(numbered(77)));
  CHECK(probe->look({}).vms.empty());
}

#include <bpf/bpf.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>

#include "agent/sources/ebpf_accounts.h"
#include "agent/sources/ebpf_loaded.h"
#include "agent/sources/ebpf_run_time.h"
#include "ebpf_kernel.h"

namespace virtseer::agent {
namespace {

constexpr const char* kProcess = "vs-stimulus";
/// A machine that does much else may have the programs pause; a test that counts tries again.
constexpr int kTries = 20;

void call(long number, int times) {
  for (int i = 0; i < times; ++i) ::syscall(number, -1);
}

/// With work in between, so that being counted changes little of how fast it goes: some
/// microseconds each.
void callAndWork(long number, int times) {
  for (int i = 0; i < times; ++i) {
    ::syscall(number);
    for (volatile int spin = 0; spin < 2000; spin = spin + 1) continue;
  }
}

double sumOf(const Reading& reading, const std::string& metric) {
  double sum = 0;
  for (const auto& [key, value] : reading)
    if (key.starts_with(metric + "{")) sum += value;
  return sum;
}

TEST_CASE("system calls are counted by process and number, with their errors") {
  RunningEbpf ebpf;
  INFO(ebpf.source().trouble());
  bool told = false;
  for (int i = 0; i < kTries && !told; ++i) {
    ebpf.rest();
    Stimulus stimulus(kProcess, [] {
      call(SYS_getppid, 1000);
      call(SYS_close, 100);
      ::poll(nullptr, 0, 100);  // a round of a length that can be measured well
    });
    stimulus.finish();
    const Reading reading = ebpf.read();
    REQUIRE(reading.contains("guest_syscalls_total{class=process}"));
    if (!ebpf.isExact("syscalls")) continue;
    const auto getppid = ebpf.row("syscalls", {{"process", kProcess}, {"syscall", "getppid"}});
    const auto close = ebpf.row("syscalls", {{"process", kProcess}, {"syscall", "close"}});
    told = true;
    CHECK(ebpf.tells(numberIn(getppid, "calls_per_second"), 1000));
    CHECK(ebpf.tells(numberIn(close, "errors_per_second"), 100));
    CHECK(numberIn(getppid, "errors_per_second") == 0);
    CHECK(reading.at("guest_syscall_errors_total{errno=EBADF}") >= 100);
  }
  ebpf.checkTold(told, "syscalls");
}

TEST_CASE("a storm of system calls is sampled, and costs less than one percent of a core") {
  RunningEbpf ebpf;
  SharedNumber made;
  const Descriptor measuring(bpf_enable_stats(BPF_STATS_RUN_TIME));
  REQUIRE(measuring);
  ebpf.attendFor(2);  // what a calm machine saves up is spent when the storm begins
  const Reading before = ebpf.read();
  // What is measured is time that programs ran, not time that passed: other load does not matter.
  const double measured = ebpf::measuredProgramSeconds(), start = monoSeconds();
  const double told = sumOf(before, "guest_ebpf_cost_seconds_total");
  const auto storm = [&] {
    while (true) {
      call(SYS_getppid, 1000);
      *made += 1000;
    }
  };
  Stimulus first(kProcess, storm), second(kProcess, storm);
  double calls_per_second = 0, counting_from = 0;
  std::uint64_t made_before = 0;
  int tellings = 0;
  for (int round = 0; round < 10; ++round) {
    ebpf.attendFor(1);
    const Reading reading = ebpf.read();
    if (round == 0) {
      counting_from = monoSeconds();
      made_before = *made;
      continue;
    }
    CHECK(reading.at("guest_ebpf_duty_ratio{part=syscalls}") < 1);
    const auto row = ebpf.row("syscalls", {{"process", kProcess}, {"syscall", "getppid"}});
    if (!row.empty()) {
      calls_per_second += numberIn(row, "calls_per_second");
      ++tellings;
    }
    const double passed = monoSeconds() - start;
    if (passed < 5) continue;
    CHECK((ebpf::measuredProgramSeconds() - measured) / passed < 0.01);
    CHECK((sumOf(reading, "guest_ebpf_cost_seconds_total") - told) / passed < 0.01);
  }
  const double rate = static_cast<double>(*made - made_before) / (monoSeconds() - counting_from);
  REQUIRE(tellings > 0);
  // Who does nothing but call is slowed down while he is counted.
  CHECK(calls_per_second / tellings > rate / 6);
  CHECK(calls_per_second / tellings < rate * 2);
}

TEST_CASE("the cost that is told is no less than what the kernel measures") {
  RunningEbpf ebpf;
  const Descriptor measuring(bpf_enable_stats(BPF_STATS_RUN_TIME));
  Stimulus storm(kProcess, [] {
    while (true) call(SYS_getppid, 1000);
  });
  ebpf.attendFor(1);
  const Reading before = ebpf.read();
  const double measured = ebpf::measuredProgramSeconds();
  // Told in milliseconds, and read a moment apart: of a long time that matters little.
  for (int round = 0; round < 24; ++round) {
    ebpf.attendFor(0.5);
    ebpf.read();
  }
  const double took = ebpf::measuredProgramSeconds() - measured;
  const double told = sumOf(ebpf.read(), "guest_ebpf_cost_seconds_total") -
                      sumOf(before, "guest_ebpf_cost_seconds_total");
  CHECK(took > 0);
  CHECK(told > took * 0.9);
}

TEST_CASE("system calls that come in bursts are told as many as they are") {
  RunningEbpf ebpf;
  SharedNumber made;
  Stimulus bursts(kProcess, [&] {
    while (true) {
      for (const double until = monoSeconds() + 0.1; monoSeconds() < until; *made += 100)
        callAndWork(SYS_getppid, 100);
      ::poll(nullptr, 0, 100);
    }
  });
  ebpf.attendFor(1);
  const Reading before = ebpf.read();
  const std::uint64_t made_before = *made;
  const std::string key = "guest_syscalls_total{class=process}";
  // A round is one look or two, into a burst or between two: chance evens out over many of them.
  for (int round = 0; round < 96; ++round) {
    ebpf.attendFor(0.5);
    ebpf.read();
  }
  const auto calls = static_cast<double>(*made - made_before);
  const double told = ebpf.read().at(key) - before.at(key);
  CHECK(told > calls / 2);
  CHECK(told < calls * 2);
}

TEST_CASE("counters of what was sampled only grow") {
  RunningEbpf ebpf;
  Stimulus storm(kProcess, [] {
    while (true) call(SYS_getppid, 1000);
  });
  Reading before = ebpf.read();
  for (int round = 0; round < 8; ++round) {
    for (const double until = monoSeconds() + 0.2; monoSeconds() < until;) ebpf.attend(50);
    const Reading reading = ebpf.read();
    for (const auto& [key, value] : before) {
      if (key.find("_total") == key.npos) continue;
      INFO(key);
      REQUIRE(reading.contains(key));
      CHECK(reading.at(key) >= value);
    }
    before = reading;
  }
}

TEST_CASE("waiting for a processor is told as a histogram") {
  RunningEbpf ebpf;
  ebpf.read();
  Reading reading;
  for (int i = 0; i < kTries && !reading.contains("guest_runqueue_waits_total{up_to_seconds=+Inf}");
       ++i) {
    Stimulus stimulus(kProcess, [] {
      for (int turn = 0; turn < 100; ++turn) ::poll(nullptr, 0, 1);
    });
    stimulus.finish();
    reading = ebpf.read();
  }
  INFO(ebpf.source().trouble());
  REQUIRE(reading.contains("guest_runqueue_waits_total{up_to_seconds=+Inf}"));
  const double count = reading.at("guest_runqueue_waits_total{up_to_seconds=+Inf}");
  CHECK(count >= 100);
  for (const auto& [key, value] : reading)
    if (key.starts_with("guest_runqueue_waits_total{")) CHECK(value <= count);
  CHECK(reading.at("guest_runqueue_wait_seconds_total") < count);
}

/// Requests that all disks have finished writing, as the kernel counts them.
double diskWrites() {
  double sum = 0;
  std::ifstream file("/proc/diskstats");
  std::string line;
  while (std::getline(file, line)) {
    unsigned major = 0, minor = 0;
    char name[64] = {};
    double reads = 0, merged = 0, sectors = 0, ms = 0, writes = 0;
    std::sscanf(line.c_str(), "%u %u %63s %lf %lf %lf %lf %lf", &major, &minor, name, &reads,
                &merged, &sectors, &ms, &writes);
    const bool is_whole = ::access((std::string("/sys/block/") + name).c_str(), F_OK) == 0;
    if (is_whole) sum += writes;
  }
  return sum;
}

/// Writes in a reading, of all devices, and the seconds that they took.
std::pair<double, double> writesIn(const Reading& reading) {
  double count = 0, seconds = 0;
  for (const auto& [key, value] : reading) {
    if (key.find("operation=write") == key.npos) continue;
    if (key.starts_with("guest_block_requests_total") && key.find("=+Inf") != key.npos)
      count += value;
    if (key.starts_with("guest_block_request_seconds_total")) seconds += value;
  }
  return {count, seconds};
}

TEST_CASE("writes to disks are told with their latency, each once") {
  RunningEbpf ebpf;
  INFO(ebpf.source().trouble());
  bool told = false;
  for (int i = 0; i < kTries && !told; ++i) {
    const auto [count_before, seconds_before] = writesIn(ebpf.rest());
    const double before = diskWrites();
    Stimulus stimulus(kProcess, [] {
      char path[] = "ebpf-test-XXXXXX";
      const Descriptor file(::mkstemp(path));
      ::unlink(path);
      for (int turn = 0; turn < 50; ++turn)
        if (::write(file.get(), path, sizeof path) < 0 || ::fdatasync(file.get()) != 0) ::_exit(1);
    });
    stimulus.finish();
    const double after = diskWrites();
    const auto [count, seconds] = writesIn(ebpf.read());
    if (after - before < 50) {
      WARN("what is written here goes to no disk");
      return;
    }
    if (!ebpf.isExact("block")) continue;
    told = true;
    CHECK(count - count_before >= 40);
    // A write is counted as it ends, a little before the kernel's own count of it.
    CHECK(count - count_before <= (diskWrites() - before) * 1.05 + 5);
    CHECK(seconds > seconds_before);
  }
  ebpf.checkTold(told, "block");
}

TEST_CASE("calls of a named function are counted by process, and their cost is told") {
  Dl_info library{};
  REQUIRE(::dladdr(reinterpret_cast<void*>(&::gnu_get_libc_version), &library) != 0);
  Config config;
  config.uprobes = {{"version", library.dli_fname, "gnu_get_libc_version"},
                    {"nothing", library.dli_fname, "no_such_function"}};
  RunningEbpf ebpf(config);
  INFO(ebpf.source().trouble());
  CHECK_THAT(ebpf.source().trouble(),
             Catch::Contains("nothing: ") && Catch::Contains("has no function no_such_function"));
  bool told = false;
  for (int i = 0; i < kTries && !told; ++i) {
    ebpf.rest();
    Stimulus stimulus(kProcess, [] {
      for (int turn = 0; turn < 300; ++turn) ::gnu_get_libc_version();
      ::poll(nullptr, 0, 100);
    });
    stimulus.finish();
    const Reading reading = ebpf.read();
    if (!ebpf.isExact("library")) continue;
    told = true;
    const auto row = ebpf.row("library_calls", {{"function", "version"}, {"process", kProcess}});
    CHECK(ebpf.tells(numberIn(row, "calls_per_second"), 300));
    CHECK(reading.at("guest_ebpf_cost_seconds_total{part=library}") > 0);
    CHECK(reading.at("guest_library_calls_total{function=version}") >= 300);
    CHECK_FALSE(reading.contains("guest_library_calls_total{function=nothing}"));
  }
  ebpf.checkTold(told, "library");
}

TEST_CASE("a pipe in the place of a library is not waited for") {
  const Tree tree;
  const std::string path = tree.root() + "/pipe";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  std::string reason;
  CHECK(ebpf::functionOffset(path, "main", reason) == 0);
  CHECK(reason == path + " cannot be read");
}

TEST_CASE("a kernel that is too old for a part is named as the reason") {
  CHECK(ebpf::missingKernel(bpf::PART_SYSCALLS, "5.10.0-28-amd64") == "needs Linux 5.12");
  CHECK(ebpf::missingKernel(bpf::PART_SERVICES, "5.15.0-101-generic") == "needs Linux 5.17");
  CHECK(ebpf::missingKernel(bpf::PART_BLOCK, "5.15.0-101-generic").empty());
  CHECK(ebpf::missingKernel(bpf::PART_SERVICES, "6.1.0").empty());
  CHECK(ebpf::missingKernel(bpf::PART_SYSCALLS, "4.19.0") == "needs Linux 5.12");
  CHECK(ebpf::missingKernel(bpf::PART_SYSCALLS, "unknown").empty());
}

TEST_CASE("the end of a process's name hides what an older name left there") {
  char name[bpf::NAME_BYTES] = "sh";
  name[5] = 'x';
  ebpf::endName(name);
  CHECK(std::all_of(name + 2, name + sizeof name, [](char byte) { return byte == 0; }));
  char full[bpf::NAME_BYTES];
  std::fill_n(full, sizeof full, 'a');
  ebpf::endName(full);
  CHECK(full[sizeof full - 1] == 'a');
}

TEST_CASE("while it is not asked for nothing is loaded, and then it counts again") {
  RunningEbpf ebpf;
  const Reading before = ebpf.read();
  CHECK(bpfDescriptors("bpf-prog").size() >= 4);
  CHECK(bpfDescriptors("bpf-map").size() >= 5);
  ebpf.source().select(false);
  for (const char* kind : {"bpf-prog", "bpf-map", "bpf_link", "bpf-link", "bpf-stats"})
    CHECK(bpfDescriptors(kind).empty());
  ebpf.source().select(true);
  ebpf.load();
  Stimulus(kProcess, [] { call(SYS_getppid, 100); }).finish();
  const Reading after = ebpf.read();
  for (const auto& [key, value] : before) {
    if (!key.ends_with("_total") && key.find("_total{") == key.npos) continue;
    INFO(key);
    REQUIRE(after.contains(key));
    CHECK(after.at(key) >= value);
  }
}

TEST_CASE("without the rights for it the source says so and the rest goes on") {
  const pid_t child = ::fork();
  if (child == 0) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    if (::syscall(SYS_capset, &header, none) != 0) ::_exit(2);
    auto source = makeEbpfSource({});
    Columns columns;
    Row row;
    Scratch scratch;
    ReportBuilder report;
    Round round{columns, row, scratch, report, 0};
    if (!source->open("")) ::_exit(3);
    source->read(round);
    ::_exit(source->trouble() == "not permitted: CAP_BPF is missing" && columns.size() == 0 ? 0
                                                                                            : 4);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("the rights that the unit gives suffice for all but named functions") {
  const pid_t child = ::fork();
  if (child == 0) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct rights[2]{};
    rights[1].effective = rights[1].permitted = 1u << (CAP_BPF - 32) | 1u << (CAP_PERFMON - 32);
    if (::syscall(SYS_capset, &header, rights) != 0) ::_exit(2);
    auto source = makeEbpfSource({});
    if (!source->open("")) ::_exit(3);
    while (source->trouble() == "programs are being loaded") {
      pollfd watched{source->eventFd(), POLLIN, 0};
      ::poll(&watched, 1, 1000);
      source->attend();
    }
    const std::string trouble = source->trouble();
    for (const char* word : {"permitted", "denied"})
      if (trouble.find(word) != trouble.npos) ::_exit(4);
    ::_exit(bpfDescriptors("bpf-prog").size() >= 4 ? 0 : 5);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("programs can be forbidden by the configuration") {
  Config config;
  config.ebpf = false;
  auto source = makeEbpfSource(config);
  const auto opened = source->open("");
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == "off by the configuration");
}

TEST_CASE("with another root nothing is loaded: programs see the running kernel alone") {
  const Tree tree;
  auto source = makeEbpfSource({});
  const auto opened = source->open(tree.root());
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == "programs see the running kernel alone");
  CHECK(bpfDescriptors("bpf-prog").empty());
}

}  // namespace
}  // namespace virtseer::agent

#include "ebpf/groups.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/syscall.h>

#include <cerrno>
#include <numeric>

#include "ebpf/run_time.h"
#include "ebpf/syscall_names.h"
#include "support/stimulus.h"

namespace virtseer::ebpf {
namespace {

constexpr const char* kProcess = "vs-member";
/// A machine that does much else may have the programs pause; a test that counts tries again.
constexpr int kTries = 20;

void call(long number, int times) {
  for (int i = 0; i < times; ++i) ::syscall(number, -1);
}

Descriptor processOf(const Stimulus& stimulus) {
  return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, stimulus.process(), 0)));
}

double callsOf(const GroupCounts& counts, CallClass kind) {
  return counts.calls[static_cast<std::size_t>(kind)];
}

double eventsOf(const TimeCounts& counts) {
  return std::accumulate(counts.buckets.begin(), counts.buckets.end(), 0.0);
}

/// A child that begins its work when it is let.
class Member {
 public:
  template <typename Work>
  explicit Member(Work work)
      : ends_(open()), stimulus_(kProcess, [&] {
          char byte;
          ends_[1].reset();
          if (::read(ends_[0].get(), &byte, 1) != 1) ::_exit(1);
          work();
        }) {}
  void go() const { REQUIRE(::write(ends_[1].get(), "", 1) == 1); }
  void finish() { stimulus_.finish(); }
  Descriptor process() const { return processOf(stimulus_); }

 private:
  static std::array<Descriptor, 2> open() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    return {Descriptor(ends[0]), Descriptor(ends[1])};
  }
  std::array<Descriptor, 2> ends_;
  Stimulus stimulus_;
};

/// Groups whose programs run.
class Running : public Groups {
 public:
  explicit Running(const std::vector<std::string>& avoided = {}) {
    REQUIRE(open() == 0);
    REQUIRE(start(avoided) == "");
  }
  void tendFor(double seconds) {
    for (const double until = monoSeconds() + seconds; monoSeconds() < until;) {
      pollfd watched{eventFd(), POLLIN, 0};
      const int wait = static_cast<int>((until - monoSeconds()) * 1000);
      if (::poll(&watched, 1, std::max(wait, 1)) > 0) tend();
    }
  }
  /// Has what was counted taken; true: all the time was counted, now and at the call before.
  bool takeExactly(std::string_view part) {
    take();
    bool exact = false;
    for (const PartFigures& each : figures())
      if (each.part == part) exact = each.open_ratio > 0.999;
    return std::exchange(exact_, exact) && exact;
  }
  /// Lets the programs save up what the next events take.
  void rest(std::string_view part) {
    tendFor(1);
    takeExactly(part);
    tendFor(0.1);
    takeExactly(part);
  }
  double costSeconds() {
    double sum = 0;
    for (const PartFigures& each : figures()) sum += each.cost_seconds;
    return sum;
  }

 private:
  bool exact_ = false;
};

TEST_CASE("system calls of a group are counted by class and error, those of others are not") {
  Running groups;
  INFO(groups.trouble());
  bool told = false;
  for (int i = 0; i < kTries && !told; ++i) {
    const auto work = [] {
      call(SYS_getppid, 1000);
      call(SYS_close, 100);
    };
    Member member(work), other(work);
    const Descriptor process = member.process();
    groups.rest("syscalls");
    const auto group = groups.add(process.get(), {});
    REQUIRE(group);
    member.go();
    other.go();
    member.finish();
    other.finish();
    told = groups.takeExactly("syscalls");
    const GroupCounts counts = groups.remove(*group, process.get());
    if (!told) continue;
    CHECK(callsOf(counts, CallClass::process) >= 1000);
    CHECK(callsOf(counts, CallClass::process) < 1010);
    CHECK(callsOf(counts, CallClass::read) == 1);
    CHECK(counts.errors[EBADF] == 100);
  }
  if (!told) WARN("the programs had to pause all the time: nothing was exact");
}

TEST_CASE(
    "counts go on where earlier ones are given, and a number that is used again begins anew") {
  Running groups;
  Member first([] { call(SYS_getppid, 1000); });
  const Descriptor one = first.process();
  const auto group = groups.add(one.get(), {});
  REQUIRE(group);
  first.go();
  first.finish();
  groups.take();
  const GroupCounts counts = groups.remove(*group, one.get());
  CHECK(groups.size() == 0);

  Member second([] {});
  const Descriptor two = second.process();
  const auto next = groups.add(two.get(), counts);
  REQUIRE(next);
  CHECK(callsOf(groups.counts(*next), CallClass::process) == callsOf(counts, CallClass::process));
  // Numbers come again after all others were used: what the first one did is nobody else's.
  std::vector<std::uint32_t> made;
  while (const auto more = groups.add(two.get(), {})) made.push_back(*more);
  CHECK(groups.size() == bpf::MAX_GROUPS);
  REQUIRE(std::find(made.begin(), made.end(), *group) != made.end());
  groups.take();
  CHECK(callsOf(groups.counts(*group), CallClass::process) < 100);
  second.go();
  second.finish();
}

TEST_CASE("a process that has ended cannot be made a group") {
  Running groups;
  Member member([] {});
  const Descriptor process = member.process();
  member.go();
  member.finish();
  CHECK_FALSE(groups.add(process.get(), {}));
  CHECK(groups.size() == 0);
}

TEST_CASE("waits of a group for a processor are counted with their time") {
  Running groups;
  GroupCounts counts;
  for (int i = 0; i < kTries && eventsOf(counts.waits) < 50; ++i) {
    Member member([] {
      for (int turn = 0; turn < 100; ++turn) ::poll(nullptr, 0, 1);
    });
    const Descriptor process = member.process();
    groups.rest("sched");
    const auto group = groups.add(process.get(), {});
    REQUIRE(group);
    member.go();
    groups.tendFor(0.2);
    member.finish();
    groups.take();
    counts = groups.remove(*group, process.get());
  }
  CHECK(eventsOf(counts.waits) >= 50);
  CHECK(counts.waits.seconds > 0);
  CHECK(counts.waits.seconds < 20);
}

TEST_CASE("writes to disks that a group asks for are counted with their latency") {
  Running groups;
  INFO(groups.trouble());
  bool told = false;
  for (int i = 0; i < kTries && !told; ++i) {
    const auto work = [] {
      char path[] = "groups-test-XXXXXX";
      const Descriptor file(::mkstemp(path));
      ::unlink(path);
      for (int turn = 0; turn < 50; ++turn)
        if (::write(file.get(), path, sizeof path) < 0 || ::fdatasync(file.get()) != 0) ::_exit(1);
    };
    Member member(work), other(work);
    const Descriptor process = member.process();
    groups.rest("block");
    const auto group = groups.add(process.get(), {});
    REQUIRE(group);
    member.go();
    member.finish();
    const bool first = groups.takeExactly("block");
    other.go();
    other.finish();
    told = groups.takeExactly("block") && first;
    const GroupCounts counts = groups.remove(*group, process.get());
    if (eventsOf(counts.writes) == 0 && told) {
      WARN("what is written here goes to no disk, or in nobody's name");
      return;
    }
    if (!told) continue;
    CHECK(eventsOf(counts.writes) >= 50);
    CHECK(eventsOf(counts.writes) <= 60);  // the other one's fifty are not among them
    CHECK(counts.writes.seconds > 0);
  }
  if (!told) WARN("the programs had to pause all the time: nothing was exact");
}

TEST_CASE("a storm in groups is sampled, and costs less than one percent of a core") {
  Running groups;
  SharedNumber made;
  const Descriptor measuring(bpf_enable_stats(BPF_STATS_RUN_TIME));
  REQUIRE(measuring);
  groups.tendFor(2);
  groups.take();
  const double measured = measuredProgramSeconds(), start = monoSeconds();
  const double told = groups.costSeconds();
  const auto storm = [&] {
    while (true) {
      call(SYS_getppid, 1000);
      *made += 1000;
    }
  };
  Stimulus first(kProcess, storm), second(kProcess, storm);
  const Descriptor one = processOf(first), two = processOf(second);
  const auto a = groups.add(one.get(), {}), b = groups.add(two.get(), {});
  REQUIRE((a && b));
  groups.tendFor(1);
  groups.take();
  const auto counted = [&] {
    return callsOf(groups.counts(*a), CallClass::process) +
           callsOf(groups.counts(*b), CallClass::process);
  };
  const double counted_before = counted();
  const std::uint64_t made_before = *made;
  for (int round = 0; round < 6; ++round) {
    groups.tendFor(1);
    groups.take();
  }
  const double passed = monoSeconds() - start;
  CHECK((measuredProgramSeconds() - measured) / passed < 0.01);
  CHECK((groups.costSeconds() - told) / passed < 0.01);
  const auto calls = static_cast<double>(*made - made_before);
  CHECK(counted() - counted_before > calls / 2);
  CHECK(counted() - counted_before < calls * 2);
}

TEST_CASE("what the kernel refuses is named, and the rest is counted") {
  Running groups({"on_io_end"});
  CHECK(groups.trouble().starts_with("block: "));
  std::vector<std::string> parts;
  for (const auto& each : groups.figures()) parts.emplace_back(each.part);
  CHECK(parts == std::vector<std::string>{"syscalls", "sched"});
}

/// What a child without root's rights but these finds; 0: as it should.
int inChild(std::uint32_t rights_above_32, int (*work)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct rights[2]{};
    rights[1].effective = rights[1].permitted = rights_above_32;
    ::_exit(::syscall(SYS_capset, &header, rights) == 0 ? work() : 99);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST_CASE("without the rights for it nothing is loaded, and the reason is told") {
  CHECK(inChild(0, [] {
          Groups groups;
          if (groups.open() != 0) return 1;
          if (groups.start() != "not permitted: CAP_BPF is missing") return 2;
          return groups.isRunning() ? 3 : 0;
        }) == 0);
}

TEST_CASE("the rights that the daemon's unit gives suffice") {
  CHECK(inChild(1u << (CAP_BPF - 32) | 1u << (CAP_PERFMON - 32), [] {
          Groups groups;
          if (groups.open() != 0 || !groups.start().empty()) return 1;
          if (groups.figures().size() != 3) return 2;
          const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0)));
          return groups.add(process.get(), {}) ? 0 : 3;
        }) == 0);
}

}  // namespace
}  // namespace virtseer::ebpf

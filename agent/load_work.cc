#include "agent/load_work.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <span>

#include "agent/child.h"
#include "agent/file.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kSmallBlock = 64 * 1024;
constexpr std::size_t kLargeBlock = 1024 * 1024;
constexpr std::uint64_t kLoadFileBytes = 16 * 1024 * 1024;

double secondsOf(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// Seconds since its making.
class Stopwatch {
 public:
  double operator()() const { return secondsOf(CLOCK_MONOTONIC) - start_; }

 private:
  double start_ = secondsOf(CLOCK_MONOTONIC);
};

/// xorshift64 (Marsaglia, 2003): quick, and its output does not compress.
std::uint64_t nextRandom(std::uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

std::span<std::uint64_t> mapped(std::uint64_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return {};
  return {static_cast<std::uint64_t*>(memory), bytes / sizeof(std::uint64_t)};
}

/// Opens the load's file and gives it its size, as much as there is room for; 0 bytes: it cannot
/// be.
std::pair<Descriptor, std::uint64_t> openLoadFile(const std::string& file, std::size_t block) {
  // Some file systems know no direct writes; there each write waits for the disk instead.
  Descriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_DIRECT, 0600));
  if (!fd) fd = Descriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_DSYNC, 0600));
  if (!fd) return {};
  for (std::uint64_t bytes = kLoadFileBytes; bytes >= block; bytes /= 2)
    if (::posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes)) == 0)
      return {std::move(fd), bytes};
  return {};
}

}  // namespace

double Ramp::share(double t) const {
  if (t >= ramp_seconds) return 1;
  return std::max(t, 0.0) / ramp_seconds;
}

double Ramp::area(double t) const {
  t = std::max(t, 0.0);
  if (t >= ramp_seconds) return t - ramp_seconds / 2;
  return t * t / (2 * ramp_seconds);
}

double Pace::owed(double t, double done) {
  const double debt = ramp_.area(t) * rate_ - forgiven_ - done;
  if (debt <= most_debt_) return debt;
  forgiven_ += debt - most_debt_;
  return most_debt_;
}

std::uint64_t workUnit(std::uint64_t seed) {
  constexpr int kSteps = 400'000;
  std::uint64_t state = seed | 1;
  for (int step = 0; step < kSteps; ++step) nextRandom(state);
  return state;
}

void cpuWork(Ramp ramp, double cores, std::atomic<std::uint64_t>& units) {
  const Stopwatch now;
  const double before = secondsOf(CLOCK_THREAD_CPUTIME_ID);
  Pace pace(ramp, cores, 0.2);
  volatile std::uint64_t result = 1;
  std::uint64_t random = 0x9E3779B97F4A7C15 ^ static_cast<std::uint64_t>(::getpid());
  for (double t = 0; t < ramp.duration_seconds; t = now()) {
    if (pace.owed(t, secondsOf(CLOCK_THREAD_CPUTIME_ID) - before) <= 0) {
      // Many kernels take samples of who runs, a few milliseconds apart: bursts that are short
      // or regular would be seen too often or too seldom.
      pauseMs(8 + static_cast<long>(nextRandom(random) % 24));
      continue;
    }
    result = workUnit(result);
    units.fetch_add(1, std::memory_order_relaxed);
  }
}

void memoryWork(Ramp ramp, std::uint64_t bytes) {
  (void)writeFile("/proc/self/oom_score_adj", "1000");
  const Stopwatch now;
  const std::span<std::uint64_t> memory = mapped(bytes);
  if (memory.empty()) return;
  constexpr std::size_t kWords = kPageBytes / sizeof(std::uint64_t);
  const std::size_t pages = memory.size() / kWords;
  std::uint64_t random = 0x9E3779B97F4A7C15;
  std::size_t filled = 0, again = 0;
  for (double t = 0; t < ramp.duration_seconds; t = now()) {
    const auto due = static_cast<std::size_t>(ramp.share(t) * static_cast<double>(pages));
    // In pieces, so that the end of the load is kept in a slow guest too.
    for (const std::size_t stop = std::min(due, filled + 1024); filled < stop; ++filled)
      for (std::uint64_t& word : memory.subspan(filled * kWords, kWords)) word = nextRandom(random);
    if (filled < due) continue;
    if (filled < pages) {
      pauseMs(50);
      continue;
    }
    for (std::size_t i = 0; i < pages / 60 + 1; ++i, again = (again + 1) % pages)
      memory[again * kWords] = nextRandom(random);
    pauseMs(std::clamp(static_cast<long>((ramp.duration_seconds - t) * 1000), 1L, 1000L));
  }
}

void diskWork(Ramp ramp, std::uint64_t bytes_per_second, const std::string& file) {
  const Stopwatch now;
  const std::size_t block = bytes_per_second >= 16 * kLargeBlock ? kLargeBlock : kSmallBlock;
  const auto [fd, bytes] = openLoadFile(file, block);
  const std::span<std::uint64_t> content = mapped(block);
  if (bytes == 0 || content.empty()) return;
  std::uint64_t random = 0x9E3779B97F4A7C15;
  for (std::uint64_t& word : content) word = nextRandom(random);
  const auto rate = static_cast<double>(bytes_per_second);
  Pace pace(ramp, rate, std::max(rate, static_cast<double>(block)));
  double done = 0;
  std::uint64_t offset = 0;
  for (double t = 0; t < ramp.duration_seconds; t = now()) {
    const double owed = pace.owed(t, done);
    if (owed < static_cast<double>(block)) {
      pauseMs(20);
      continue;
    }
    content[0] = nextRandom(random);
    if (::pwrite(fd.get(), content.data(), block, static_cast<off_t>(offset)) < 0) {
      pauseMs(100);
      continue;
    }
    done += static_cast<double>(block);
    offset = (offset + block) % (bytes / block * block);
  }
}

}  // namespace virtseer::agent

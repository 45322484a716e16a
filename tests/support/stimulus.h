#pragma once

#include <dirent.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

/// What tests need to try programs on the running kernel.
namespace virtseer::ebpf {

inline double monoSeconds() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// Descriptors of this process that are of eBPF, by what the kernel calls them: "bpf-prog".
inline std::vector<int> bpfDescriptors(const std::string& kind) {
  std::vector<int> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> all(::opendir("/proc/self/fd"), ::closedir);
  while (const dirent* entry = ::readdir(all.get())) {
    char target[128] = {};
    const std::string path = std::string("/proc/self/fd/") + entry->d_name;
    if (::readlink(path.c_str(), target, sizeof target - 1) > 0 &&
        std::string(target).find("anon_inode:" + kind) == 0)
      found.push_back(std::atoi(entry->d_name));
  }
  return found;
}

/// A child of its own name; killed at the end if it has not ended. It holds nothing of eBPF: a
/// program stays attached for as long as anyone holds it.
class Stimulus {
 public:
  template <typename Work>
  Stimulus(const char* name, Work work) {
    child_ = ::fork();
    if (child_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, name);
    for (const int fd : bpfDescriptors("bpf")) ::close(fd);
    work();
    ::_exit(0);
  }
  Stimulus(const Stimulus&) = delete;
  Stimulus& operator=(const Stimulus&) = delete;
  ~Stimulus() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    finish();
  }
  pid_t process() const { return child_; }
  void finish() {
    int status = 0;
    if (child_ > 0) ::waitpid(child_, &status, 0);
    child_ = 0;
    CHECK((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
  }

 private:
  pid_t child_ = 0;
};

/// A number that this process and its children see.
class SharedNumber {
 public:
  SharedNumber()
      : number_(static_cast<std::atomic<std::uint64_t>*>(
            ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  SharedNumber(const SharedNumber&) = delete;
  SharedNumber& operator=(const SharedNumber&) = delete;
  ~SharedNumber() { ::munmap(number_, sizeof(std::uint64_t)); }
  std::atomic<std::uint64_t>& operator*() const { return *number_; }

 private:
  std::atomic<std::uint64_t>* number_;
};

}  // namespace virtseer::ebpf

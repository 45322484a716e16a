#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <utility>

/// Forked children of a program with a single thread.
namespace virtseer::ebpf {

inline void pauseMs(long milliseconds) {
  timespec left{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  while (::nanosleep(&left, &left) < 0 && errno == EINTR) {
  }
}

/// Runs `work` in a child that dies with its parent and holds none of its descriptors but `keep`.
/// Gives the child's number, or -1.
template <typename Work>
pid_t forkChild(Work work, int keep = -1) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  if (keep > 3) ::close_range(3, static_cast<unsigned>(keep - 1), 0);
  ::close_range(static_cast<unsigned>(keep < 3 ? 3 : keep + 1), ~0u, 0);
  work();
  ::_exit(0);
}

/// Kills and reaps a child. One that has ended or was reaped before is left alone, as its number
/// may be another's by now; numbers that are none do nothing.
inline void endChild(pid_t child) {
  if (child <= 0 || ::waitpid(child, nullptr, WNOHANG) != 0) return;
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace virtseer::ebpf

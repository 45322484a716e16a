#include "ebpf/syscall_names.h"

#include <sys/syscall.h>

#include <cstring>

#include "ebpf/programs/board.h"

namespace virtseer::ebpf {
namespace {

/// From the headers of the machine that builds; null: it knew no such number.
const char* knownName(std::uint32_t number) {
  switch (number) {
#define CALL(known, name) \
  case known:             \
    return #name;
#include <syscall_names.inc>
#undef CALL
  }
  return nullptr;
}

bool reads(std::uint32_t number) {
  switch (number) {
    case SYS_read:
    case SYS_pread64:
    case SYS_readv:
    case SYS_preadv:
    case SYS_preadv2:
    case SYS_getdents:
    case SYS_getdents64:
    case SYS_readahead:
      return true;
  }
  return false;
}

bool writes(std::uint32_t number) {
  switch (number) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_sync:
    case SYS_syncfs:
    case SYS_sync_file_range:
    case SYS_sendfile:
    case SYS_splice:
    case SYS_copy_file_range:
      return true;
  }
  return false;
}

bool talks(std::uint32_t number) {
  if (number >= SYS_socket && number <= SYS_getsockopt) return true;
  switch (number) {
    case SYS_accept4:
    case SYS_recvmmsg:
    case SYS_sendmmsg:
      return true;
  }
  return false;
}

bool waits(std::uint32_t number) {
  switch (number) {
    case SYS_poll:
    case SYS_ppoll:
    case SYS_select:
    case SYS_pselect6:
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_futex:
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_pause:
    case SYS_wait4:
    case SYS_waitid:
    case SYS_io_getevents:
    case SYS_io_uring_enter:
    case SYS_sched_yield:
    case SYS_rt_sigtimedwait:
    case SYS_restart_syscall:
      return true;
  }
  return false;
}

bool manages(std::uint32_t number) {
  switch (number) {
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_mremap:
    case SYS_brk:
    case SYS_madvise:
    case SYS_msync:
    case SYS_mincore:
    case SYS_mlock:
    case SYS_munlock:
    case SYS_mbind:
    case SYS_memfd_create:
      return true;
  }
  return false;
}

bool opens(std::uint32_t number) {
  if (number >= SYS_truncate && number <= SYS_umask) return true;
  if (number >= SYS_openat && number <= SYS_faccessat) return true;
  if (number >= SYS_setxattr && number <= SYS_fremovexattr) return true;
  switch (number) {
    case SYS_open:
    case SYS_close:
    case SYS_stat:
    case SYS_fstat:
    case SYS_lstat:
    case SYS_lseek:
    case SYS_access:
    case SYS_fcntl:
    case SYS_flock:
    case SYS_statfs:
    case SYS_fstatfs:
    case SYS_fallocate:
    case SYS_renameat2:
    case SYS_statx:
    case SYS_openat2:
    case SYS_close_range:
      return true;
  }
  return false;
}

bool lives(std::uint32_t number) {
  switch (number) {
    case SYS_clone:
    case SYS_fork:
    case SYS_vfork:
    case SYS_execve:
    case SYS_execveat:
    case SYS_exit:
    case SYS_exit_group:
    case SYS_kill:
    case SYS_tkill:
    case SYS_tgkill:
    case SYS_getpid:
    case SYS_gettid:
    case SYS_getppid:
    case SYS_prctl:
    case SYS_rt_sigaction:
    case SYS_rt_sigprocmask:
    case SYS_rt_sigreturn:
    case SYS_sched_setaffinity:
    case SYS_sched_getaffinity:
    case SYS_set_robust_list:
    case SYS_prlimit64:
    case SYS_getrusage:
    case SYS_setpgid:
    case SYS_setsid:
    case SYS_unshare:
    case SYS_setns:
      return true;
  }
  return false;
}

}  // namespace

CallClass classOf(std::uint32_t number) {
  if (reads(number)) return CallClass::read;
  if (writes(number)) return CallClass::write;
  if (talks(number)) return CallClass::network;
  if (waits(number)) return CallClass::wait;
  if (manages(number)) return CallClass::memory;
  if (lives(number)) return CallClass::process;
  if (opens(number)) return CallClass::file;
  return CallClass::other;
}

const char* nameOf(CallClass kind) {
  constexpr const char* kNames[kCallClasses] = {"read",   "write",   "network", "file",
                                                "memory", "process", "wait",    "other"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string callName(std::uint32_t number) {
  if (number == bpf::FOREIGN_CALL) return "other_abi";
  if (const char* name = knownName(number)) return name;
  return "syscall_" + std::to_string(number);
}

std::string errorName(int number) {
  const char* name = ::strerrorname_np(number);
  return name != nullptr ? name : std::to_string(number);
}

}  // namespace virtseer::ebpf

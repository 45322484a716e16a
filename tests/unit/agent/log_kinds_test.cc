#include "agent/sources/log_kinds.h"

#include <catch2/catch.hpp>
#include <string_view>

namespace virtseer::agent {
namespace {

Finding kernelSays(std::string_view message) {
  LogEntry entry;
  entry.kernel = true;
  entry.message = message;
  return examine(entry);
}

Finding initSays(std::string_view message, std::string_view id = {}) {
  LogEntry entry;
  entry.init = true;
  entry.message = message;
  entry.message_id = id;
  return examine(entry);
}

TEST_CASE("processes that the kernel killed for memory are known in all its wordings") {
  struct Case {
    const char* message;
    const char* process;
    const char* pid;
    std::uint64_t rss_kib;
  };
  for (const Case& c : {
           Case{"Out of memory: Killed process 15784 (python3) total-vm:11964kB, anon-rss:4288kB, "
                "file-rss:3028kB, shmem-rss:0kB, UID:1000 pgtables:64kB oom_score_adj:0",
                "python3", "15784", 4288 + 3028},
           {"Memory cgroup out of memory: Killed process 22957 (java) total-vm:3034644kB, "
            "anon-rss:520956kB, file-rss:0kB, shmem-rss:16kB, UID:0 pgtables:1240kB "
            "oom_score_adj:999",
            "java", "22957", 520956 + 16},
           {"Out of memory (oom_kill_allocating_task): Killed process 7 (a) total-vm:1kB, "
            "anon-rss:2kB, file-rss:0kB, shmem-rss:0kB",
            "a", "7", 2},
           {"Killed process 1234 (mysqld) total-vm:7823732kB, anon-rss:2539268kB, file-rss:768kB",
            "mysqld", "1234", 2539268 + 768},
           {"Killed process 11726, UID 498, (mysqld) total-vm:7823732kB, anon-rss:2539268kB, "
            "file-rss:768kB",
            "mysqld", "11726", 2539268 + 768},
           {"Out of memory: Killed process 15925 ((resolved)) total-vm:168424kB, anon-rss:4064kB, "
            "file-rss:3584kB, shmem-rss:0kB",
            "(resolved)", "15925", 4064 + 3584},
       }) {
    INFO(c.message);
    const Finding finding = kernelSays(c.message);
    CHECK(finding.kind == LogKind::oom_kill);
    CHECK(finding.process == c.process);
    CHECK(finding.pid == c.pid);
    CHECK(finding.rss_bytes == c.rss_kib * 1024);
  }
}

TEST_CASE("what only speaks of a killed process is no kill") {
  for (const char* message :
       {"Out of memory: Kill process 1234 (mysqld) score 800 or sacrifice child",
        "oom_reaper: reaped process 15784 (python3), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
        "Memory cgroup out of memory: OOM victim 7 (a) is already exiting. Skip killing the task",
        "module says Killed process 7 (a) total-vm:1kB", "Killed process x (a)"})
    CHECK(kernelSays(message).kind == LogKind::log);
}

TEST_CASE("the unit of a killed process is the last part of its group") {
  CHECK(oomUnit("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
                "oom_memcg=/system.slice/a.service,task_memcg=/system.slice/a.service,task=stress,"
                "pid=1234,uid=0") == "a.service");
  CHECK(oomUnit("oom-kill:constraint=CONSTRAINT_NONE,task_memcg=/,task=a,pid=1,uid=0").empty());
  CHECK(oomUnit("other").empty());
}

TEST_CASE("programs that the kernel ended are known with name, number and signal") {
  struct Case {
    const char* message;
    const char* process;
    const char* pid;
    const char* signal;
  };
  for (const Case& c : {
           Case{"a.out[13858]: segfault at 0 ip 0000000000400fc6 sp 00007ffd1008d4e0 error 4 in "
                "a.out[400000+2000] likely on CPU 1 (core 1, socket 0)",
                "a.out", "13858", "SIGSEGV"},
           {"Web Content[77]: segfault at 7f00 ip 00007f sp 00007f error 6", "Web Content", "77",
            "SIGSEGV"},
           {"traps: mysqld[280069] general protection fault ip:7f81f14bc898 sp:7ffd error:0 in "
            "libc.so.6[7f81f1400000+195000]",
            "mysqld", "280069", "SIGSEGV"},
           {"traps: a.out[15483] general protection ip:4007bb sp:7ffd1f5e1950 error:0 in "
            "a.out[400000+1000]",
            "a.out", "15483", "SIGSEGV"},
           {"traps: app[5] trap invalid opcode ip:55d0 sp:7ffe error:0 in app[55d0+1000]", "app",
            "5", "SIGILL"},
           {"traps: app[5] trap divide error ip:55d0 sp:7ffe error:0 in app[55d0+1000]", "app", "5",
            "SIGFPE"},
           {"traps: app[5] trap int3 ip:55d0 sp:7ffe error:0 in app[55d0+1000]", "app", "5", ""},
           {"app[9]: unhandled exception: DABT (lower EL), ESR 0x92000044, level 0 translation "
            "fault in app[aaaa+1000]",
            "app", "9", ""},
           {"app[9]: unhandled level 2 translation fault (11) at 0x00000000, esr 0x92000046", "app",
            "9", "SIGSEGV"},
       }) {
    INFO(c.message);
    const Finding finding = kernelSays(c.message);
    CHECK(finding.kind == LogKind::crash);
    CHECK(finding.process == c.process);
    CHECK(finding.pid == c.pid);
    CHECK(finding.signal == c.signal);
  }
  CHECK(kernelSays("a: segfault at 0").kind == LogKind::log);
  CHECK(kernelSays("a[x]: segfault at 0 ip").kind == LogKind::log);
}

TEST_CASE("faults of the kernel itself are known") {
  for (const char* message :
       {"BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "BUG: unable to handle page fault for address: ffffffffc0000000",
        "kernel BUG at mm/slub.c:4!", "Oops: 0002 [#1] PREEMPT SMP PTI",
        "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 "
        "[#1]",
        "Kernel panic - not syncing: Fatal exception in interrupt",
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [kworker/0:1:7]",
        "NMI watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [a:7]",
        "NMI watchdog: Watchdog detected hard LOCKUP on cpu 0",
        "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        "INFO: rcu_sched self-detected stall on CPU",
        "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008",
        "Internal error: Oops: 96000004 [#1] SMP"}) {
    INFO(message);
    CHECK(kernelSays(message).kind == LogKind::kernel_fault);
    CHECK(kernelSays(message).begins_dump);
  }
  const Finding hung =
      kernelSays("INFO: task kworker/u16:9:7088 blocked for more than 120 seconds.");
  CHECK(hung.kind == LogKind::kernel_fault);
  CHECK(hung.process == "kworker/u16:9");
  CHECK(hung.pid == "7088");
  for (const char* message : {"NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
                              "INFO: lockdep is turned off.", "rcu: INFO: other"})
    CHECK(kernelSays(message).kind == LogKind::log);
}

TEST_CASE("errors of disks and file systems are known with their device") {
  struct Case {
    const char* message;
    LogKind kind;
    const char* device;
  };
  for (const Case& c : {
           Case{"I/O error, dev vda, sector 89368576 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio "
                "class 2",
                LogKind::io_error, "vda"},
           {"blk_update_request: I/O error, dev vda, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1",
            LogKind::io_error, "vda"},
           {"print_req_error: I/O error, dev nvme0n1, sector 1859136 flags 100001",
            LogKind::io_error, "nvme0n1"},
           {"end_request: I/O error, dev sda, sector 0", LogKind::io_error, "sda"},
           {"critical medium error, dev sdb, sector 8 op 0x0:(READ)", LogKind::io_error, "sdb"},
           {"Buffer I/O error on dev vda1, logical block 0, async page read", LogKind::io_error,
            "vda1"},
           {"Buffer I/O error on device dm-0, logical block 7", LogKind::io_error, "dm-0"},
           {"operation not supported error, dev loop1, sector 0 op 0x9:(WRITE_ZEROES)",
            LogKind::log, ""},
           {"EXT4-fs error (device vda1): ext4_journal_check_start:83: comm zsh: Detected aborted "
            "journal",
            LogKind::filesystem_error, "vda1"},
           {"EXT4-fs error (device sda1) in ext4_reserve_inode_write:4735: Out of memory",
            LogKind::filesystem_error, "sda1"},
           {"EXT4-fs (vda1): Remounting filesystem read-only", LogKind::filesystem_error, "vda1"},
           {"EXT4-fs (vda1): I/O error while writing superblock", LogKind::filesystem_error,
            "vda1"},
           {"EXT4-fs (vda1): mounted filesystem with ordered data mode", LogKind::log, ""},
           {"Aborting journal on device vda2-8.", LogKind::filesystem_error, "vda2"},
           {"XFS (dm-0): Metadata corruption detected at xfs_agi_verify", LogKind::filesystem_error,
            "dm-0"},
           {"XFS (dm-0): Filesystem has been shut down due to log error (0x2).",
            LogKind::filesystem_error, "dm-0"},
           {"XFS (dm-0): Mounting V5 Filesystem", LogKind::log, ""},
           {"BTRFS error (device vdb: state EA): bad tree block", LogKind::filesystem_error, "vdb"},
           {"BTRFS info (device vdb): forced readonly", LogKind::filesystem_error, "vdb"},
           {"BTRFS info (device vdb): using free space tree", LogKind::log, ""},
           {"FAT-fs (sda1): error, fat_get_cluster: invalid cluster chain",
            LogKind::filesystem_error, "sda1"},
       }) {
    INFO(c.message);
    const Finding finding = kernelSays(c.message);
    CHECK(finding.kind == c.kind);
    CHECK(finding.device == c.device);
  }
}

TEST_CASE("units that fail and are started again are known by id or by wording") {
  for (const char* id : {"", "d9b373ed55a64feb8242e02dbe79a49c"}) {
    const Finding finding = initSays("samba-ad-dc.service: Failed with result 'exit-code'.", id);
    CHECK(finding.kind == LogKind::unit_failed);
    CHECK(finding.unit == "samba-ad-dc.service");
    CHECK(finding.result == "exit-code");
  }
  LogEntry told;
  told.init = true;
  told.message = "in another language";
  told.message_id = "d9b373ed55a64feb8242e02dbe79a49c";
  told.about_unit = "a.service";
  told.result = "oom-kill";
  CHECK(examine(told).unit == "a.service");
  CHECK(examine(told).result == "oom-kill");

  const Finding restart = initSays("a.service: Scheduled restart job, restart counter is at 12.");
  CHECK(restart.kind == LogKind::unit_restarted);
  CHECK(restart.unit == "a.service");
  CHECK(restart.restarts == "12");
  CHECK(initSays("Started a.service.").kind == LogKind::log);
}

TEST_CASE("a coredump tells the process that it is of, and its unit") {
  LogEntry entry;
  entry.message = "Process 1684 (fprintd) of user 0 dumped core.";
  entry.message_id = "fc2e22bc6ee647b6b90729ab34a250b1";
  entry.unit = "systemd-coredump@0-3374-0.service";
  entry.crashed_pid = "1684";
  entry.crashed_process = "fprintd";
  entry.crashed_unit = "fprintd.service";
  entry.signal = "SIGABRT";
  const Finding finding = examine(entry);
  CHECK(finding.kind == LogKind::crash);
  CHECK(finding.process == "fprintd");
  CHECK(finding.pid == "1684");
  CHECK(finding.unit == "fprintd.service");
  CHECK(finding.signal == "SIGABRT");
}

TEST_CASE("a program that only claims to be the kernel or systemd is not believed") {
  LogEntry entry;
  for (const char* message :
       {"Out of memory: Killed process 7 (a) total-vm:1kB, anon-rss:2kB", "Oops: 0002 [#1]",
        "a[7]: segfault at 0 ip", "I/O error, dev vda, sector 1 op",
        "EXT4-fs error (device vda1): a", "a.service: Failed with result 'exit-code'."}) {
    entry.message = message;
    entry.identifier = "kernel";
    CHECK(examine(entry).kind == LogKind::log);
  }
  entry.message_id = "fc2e22bc6ee647b6b90729ab34a250b1";
  entry.unit = "user@1000.service";
  CHECK(examine(entry).kind == LogKind::log);
  entry.message_id = "d9b373ed55a64feb8242e02dbe79a49c";
  CHECK(examine(entry).kind == LogKind::log);
}

}  // namespace
}  // namespace virtseer::agent

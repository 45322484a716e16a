"""Stimulus by stimulus: what is done in a guest or to it, and what its sources must tell of that.

An act is a line for the guest's shell, or a function of the stage on which it is done. Stimuli of one scene are begun
one after the other, and ended the other way round; none of them moves what another one's rows read.
"""

from collections import namedtuple

from lablib.inside import SLOW_DISK_BAD_SECTOR, SLOW_DISK_BYTES, SLOW_DISK_SECONDS
from readings import (MIB, Cell, Change, Happened, Peak, Place, Range, Rise, Share, Value, at_least, between, exactly)

NAME = "stimuli"
MEMORY_MIB = 192
DISK_MIB = 96
GUEST, HOST = "10.77.0.50", "10.77.0.1"

# begin, end: acts. hold: how long it lasts in seconds, in the guest. during, after: rows that are read before and
# after the end.
Stimulus = namedtuple("Stimulus", "what begin end hold during after", defaults=((), 0, (), ()))
# expected: a Range, or a function of the story that gives one.
Row = namedtuple("Row", "source reading expected")


def rows(source, *pairs):
    return [Row(source, reading, expected) for reading, expected in pairs]


# --- acts ---


def ask(story, command):
    """A number that the guest's own tools tell."""
    return float(story.stage.shell(command))


def near(number, tolerance):
    return Range(number - tolerance, number + tolerance)


def host(verb, *words):
    """What `net_acts.py` does, to its end."""
    return lambda stage: stage.act_of_host(verb, *words)


def host_begins(verb, *words, ready=True):
    return lambda stage: stage.begin_of_host(verb, *words, ready=ready)


def host_ends(verb):
    return lambda stage: stage.end_of_host(verb)


def link(state):
    """The host's end of the guest's cable."""
    return lambda stage: stage.link(state)


def disk_limit(bytes_per_second):
    """Of the disk vda; 0 is none."""
    return lambda stage: stage.limit_disk(bytes_per_second)


def daemon_stands_still(seconds):
    return lambda stage: stage.hold_daemon(seconds)


def times(count, command):
    return f"i=0; while [ $i -lt {count} ]; do {command}; i=$((i + 1)); done"


def background(unit, name, command):
    return f"as-unit {unit} {name} '{command}' > /dev/null 2>&1 &"


QUIET = "read line <> /run/quiet"
LOOP = "while :; do :; done"
AGENT = "$(pidof init | xargs -n 1 echo | grep -vx 1)"

# --- the table ---

ONE_LOOP = Stimulus(
    "a process 'spinner' of the unit busy.service, which loops",
    [background("busy.service", "spinner", LOOP)], ["killall spinner"], 5,
    rows("processes",
         (Place("processes", name="spinner", unit="busy.service"), exactly(1)),
         (Cell("processes", "cpu_cores", name="spinner"), between(0.7, 1.02)),
         (Happened("guest.process_started", name="spinner", unit="busy.service"), exactly(1)),
         (Value("guest_unit_processes", unit="busy.service"), exactly(1))),
    rows("cpu", (Share("guest_cpu_seconds_total", mode="user"), between(0.7, 1.05)))
    + rows("processes",
           (Share("guest_unit_cpu_seconds_total", unit="busy.service"), between(0.7, 1.02)),
           (Happened("guest.process_ended", name="spinner"), exactly(1))))

TWO_LOOPS = Stimulus(
    "a loop of nice 5 and one that copies zeros in the kernel, on one processor",
    [background("low.service", "low", "renice -n 5 -p $$; " + LOOP),
     background("copy.service", "copy", "exec dd if=/dev/zero of=/dev/null bs=1M")],
    ["killall low dd"], 10,
    rows("cpu", (Value("guest_procs_running"), between(2, 4)))
    + rows("load", (Change("guest_load1"), between(0.1, 0.8))),
    rows("cpu",
         (Share("guest_cpu_seconds_total", mode="nice"), between(0.12, 0.4)),
         (Share("guest_cpu_seconds_total", mode="system"), between(0.45, 0.95)),
         (Share("guest_context_switches_total"), between(30, 2000)))
    + rows("ebpf", (Share("guest_runqueue_wait_seconds_total"), between(0.6, 2)))
    + rows("pressure",
           (Share("guest_pressure_waiting_seconds_total", resource="cpu"), between(0.75, 1.1))))

MEMORY = [
    Stimulus("a file of 24 MiB in a tmpfs", ["dd if=/dev/zero of=/tmp/file bs=1M count=24"], ["rm /tmp/file"], 0,
             rows("memory",
                  (Change("guest_memory_shared_bytes"), between(24 * MIB, 25 * MIB)),
                  (Change("guest_memory_cached_bytes"), between(28 * MIB, 31 * MIB)))),
    Stimulus("a process that fills 16 MiB", ["dd if=/dev/zero bs=16M count=1 2> /dev/null | sleep 600 &"],
             ["killall sleep"], 0,
             rows("memory", (Change("guest_memory_anonymous_bytes"), between(16 * MIB, 18 * MIB)))
             + rows("processes", (Cell("processes", "memory_bytes", name="dd"), between(16 * MIB, 18.5 * MIB))),
             rows("memory", (Rise("guest_page_faults_total", type="minor"), between(4096, 12000)))),
    Stimulus("2000 empty files in a tmpfs",
             ["mkdir /tmp/many; cd /tmp/many; " + times(2000, ": > $i")], ["rm -r /tmp/many"], 0,
             rows("memory",
                  (Change("guest_memory_slab_bytes"), between(1.5 * MIB, 5 * MIB)),
                  (Change("guest_memory_slab_reclaimable_bytes"), between(0.2 * MIB, 3 * MIB)))),
    Stimulus("8 MiB of the disk read through the cache of its blocks",
             ["dd if=/dev/vda of=/dev/null bs=1M count=8"], ["echo 1 > /proc/sys/vm/drop_caches"], 0,
             rows("memory", (Change("guest_memory_buffers_bytes"), between(7.5 * MIB, 11 * MIB)))),
    # The last one: what is dirty is written after half a minute.
    Stimulus("a file of 4 MiB written, and brought to the disk at the end",
             ["dd if=/dev/zero of=/data/dirty bs=1M count=4"], ["sync", "rm /data/dirty"], 0,
             rows("memory",
                  (Change("guest_memory_dirty_bytes"), between(3.9 * MIB, 5 * MIB)),
                  # All of these together: 24 and 16 in use, 12 in caches that can be given back, and slab.
                  (Change("guest_memory_used_bytes"), between(39 * MIB, 52 * MIB)),
                  (Change("guest_memory_available_bytes"), between(-52 * MIB, -39 * MIB)),
                  (Change("guest_memory_free_bytes"), between(-62 * MIB, -50 * MIB)),
                  (Change("guest_memory_working_set_bytes"), between(39 * MIB, 50 * MIB)),
                  (Change("guest_memory_inactive_bytes"), between(44 * MIB, 56 * MIB)),
                  (Value("guest_memory_total_bytes"), between(0.8 * MEMORY_MIB * MIB, MEMORY_MIB * MIB))),
             rows("memory",
                  (Rise("guest_memory_dirtied_pages_total"), between(1024, 1200)),
                  (Rise("guest_memory_written_pages_total"), between(1024, 1250)))),
]

PAGE_CACHE = [
    Stimulus("a file of 8 MiB, read twice",
             ["dd if=/dev/zero of=/data/twice bs=1M count=8; sync; echo 3 > /proc/sys/vm/drop_caches",
              "cat /data/twice > /dev/null; cat /data/twice > /dev/null"], ["rm /data/twice"], 0, (),
             rows("memory", (Rise("guest_memory_activated_pages_total"), between(1850, 3500)))
             + rows("disk", (Rise("guest_disk_read_bytes_total", device="vda"), between(8 * MIB, 12 * MIB)))),
    Stimulus("a program that is on the disk only",
             ["cp /bin/busybox /data/busybox; sync; echo 3 > /proc/sys/vm/drop_caches; /data/busybox true"],
             ["rm /data/busybox"], 0, (),
             rows("memory", (Rise("guest_page_faults_total", type="major"), between(1, 300)))),
]

SWAP = Stimulus(
    "12 MiB more than what is available, with 32 MiB of swap; then all of it read",
    ["dd if=/dev/zero of=/data/swap bs=1M count=32; mkswap /data/swap; swapon /data/swap",
     "mkdir /fill; mount -t tmpfs -o size=100% none /fill; "
     "dd if=/dev/zero of=/fill/file bs=1M count=$(($(awk '/MemAvailable/ {print $2}' /proc/meminfo) / 1024 + 12))",
     "cat /fill/file > /dev/null"],
    ["umount /fill; swapoff /data/swap; rm /data/swap"], 0,
    rows("memory",
         (Value("guest_swap_total_bytes"), between(31.9 * MIB, 32 * MIB)),
         (Value("guest_swap_free_bytes"), between(0, 27 * MIB)),
         (Rise("guest_swap_out_pages_total"), at_least(2048)),
         (Rise("guest_swap_in_pages_total"), at_least(1024)),
         (Rise("guest_memory_scanned_pages_total"), at_least(2048)),
         (Rise("guest_memory_reclaimed_pages_total"), at_least(2048)),
         (Rise("guest_memory_refaulted_pages_total", type="anonymous"), at_least(256)),
         (Peak("guest_memory_refault_ratio"), between(0.05, 1)))
    + rows("pressure",
           (Rise("guest_pressure_waiting_seconds_total", resource="memory"), between(0.01, 60))))

READS, WRITES, READ_BYTES = 250, 20, 64 * 1024
SLOW_DISK = [
    Stimulus(f"{READS} reads of 64 KiB, one after the other, from a disk that takes 20 ms for each",
             [f"dd if=/dev/vdb of=/dev/null bs=64k count={READS} iflag=direct"], (), 0, (),
             rows("disk",
                  (Rise("guest_disk_reads_total", device="vdb"), exactly(READS)),
                  (Rise("guest_disk_read_bytes_total", device="vdb"), exactly(READS * READ_BYTES)),
                  (Rise("guest_disk_read_seconds_total", device="vdb"),
                   between(READS * SLOW_DISK_SECONDS, 1.6 * READS * SLOW_DISK_SECONDS)),
                  (Peak("guest_disk_utilisation_ratio", device="vdb"), between(0.75, 1)),
                  # Of one echo, which a busy machine may make late.
                  (Peak("guest_disk_queue_depth", device="vdb"), between(0.75, 1.5)),
                  (Peak("guest_disk_io_in_progress", device="vdb"), exactly(1)))
             # Programs in the kernel may pause; what they did not see they scale.
             + rows("ebpf",
                    (Rise("guest_block_requests_total", device="vdb", operation="read", up_to_seconds="+Inf"),
                     between(0.7 * READS, 1.3 * READS)),
                    (Rise("guest_block_request_seconds_total", device="vdb", operation="read"),
                     between(0.7 * READS * SLOW_DISK_SECONDS, 2 * READS * SLOW_DISK_SECONDS)))
             + rows("cpu", (Rise("guest_cpu_seconds_total", mode="iowait"), between(3, 8)))
             + rows("pressure",
                    (Rise("guest_pressure_waiting_seconds_total", resource="io"), between(4, 9)),
                    (Rise("guest_pressure_stalled_seconds_total", resource="io"), between(3.5, 9)))),
    Stimulus(f"{WRITES} writes of 4 KiB, each flushed", [times(
        WRITES, "dd if=/dev/zero of=/dev/vdb bs=4k count=1 oflag=direct conv=notrunc,fsync 2> /dev/null")], (), 0, (),
             rows("disk",
                  # The kernel counts a flush as a write of no bytes, too.
                  (Rise("guest_disk_writes_total", device="vdb"), exactly(2 * WRITES)),
                  (Rise("guest_disk_write_bytes_total", device="vdb"), exactly(WRITES * 4096)),
                  (Rise("guest_disk_write_seconds_total", device="vdb"), between(0.8, 1.6)),
                  (Rise("guest_disk_flushes_total", device="vdb"), exactly(WRITES)),
                  (Rise("guest_disk_flush_seconds_total", device="vdb"), between(0.4, 1)))),
    Stimulus("8 MiB discarded", ["blkdiscard -o 0 -l 8388608 /dev/vdb"], (), 0, (),
             rows("disk",
                  (Rise("guest_disk_discards_total", device="vdb"), exactly(1)),
                  (Rise("guest_disk_discard_bytes_total", device="vdb"), exactly(8 * MIB)))),
]

# The first request uses up what the limit lets pass at once. The kernel takes a process for hung that waits for its
# writes to come to the disk; those that read have it otherwise.
HELD_DISK = Stimulus(
    "a process that waits for a disk which the host lets wait",
    ["dd if=/dev/zero of=/data/held bs=16k count=1; sync", disk_limit(1024),
     "echo 1 > /proc/sys/kernel/hung_task_timeout_secs; dd if=/dev/vda of=/dev/null bs=16k count=1 iflag=direct",
     "dd if=/dev/zero of=/data/held bs=16k count=1 conv=notrunc,fsync > /dev/null 2>&1 &"],
    [disk_limit(0), "echo 120 > /proc/sys/kernel/hung_task_timeout_secs; sync; rm /data/held"], 2,
    # The journal's own thread may come to wait as well.
    rows("cpu", (Value("guest_procs_blocked"), between(1, 2)))
    + rows("disk", (Value("guest_disk_io_in_progress", device="vda"), between(1, 2)))
    + rows("processes", (Value("guest_processes_uninterruptible"), between(1, 2)))
    + rows("logs", (Happened("guest.kernel_fault", process="dd"), at_least(1))),
    rows("logs", (Rise("guest_kernel_faults_total"), at_least(1)))
    + rows("cpu", (Share("guest_cpu_seconds_total", mode="iowait"), between(0.7, 1.05)))
    + rows("pressure", (Share("guest_pressure_waiting_seconds_total", resource="io"), between(0.75, 1.1)))
    + rows("disk",
           (Share("guest_disk_io_seconds_total", device="vda"), between(0.75, 1.1)),
           (Share("guest_disk_io_weighted_seconds_total", device="vda"), between(0.75, 2.1))))

CROWD, FILES = 40, 100
FILE_SYSTEM = [
    Stimulus(f"a file of 8 MiB and {FILES} empty ones on the disk",
             ["dd if=/dev/zero of=/data/file bs=1M count=8; mkdir /data/many; cd /data/many; "
              + times(FILES, ": > $i") + "; sync"], ["rm -r /data/file /data/many"], 0,
             rows("filesystem",
                  (Change("guest_filesystem_free_bytes", mountpoint="/data"), between(-8.1 * MIB, -8 * MIB)),
                  (Change("guest_filesystem_available_bytes", mountpoint="/data"), between(-8.1 * MIB, -8 * MIB)),
                  (Change("guest_filesystem_free_inodes", mountpoint="/data"), exactly(-(FILES + 2))),
                  (Value("guest_filesystem_size_bytes", mountpoint="/data"),
                   between(0.85 * DISK_MIB * MIB, DISK_MIB * MIB)),
                  (Value("guest_filesystem_inodes", mountpoint="/data"),
                   lambda story: near(ask(story, "stat -f -c %c /data"), 0)))),
    Stimulus("the file system made read-only", ["mount -o remount,ro /data"], ["mount -o remount,rw /data"], 0,
             rows("filesystem", (Value("guest_filesystem_read_only", mountpoint="/data"), exactly(1)))),
    # The agent stands still meanwhile: one round finds them all, two have the time to read them, each tells of 16.
    Stimulus(f"{CROWD} processes that sleep",
             [f": > /run/crowd; kill -STOP {AGENT}; "
              + times(CROWD, "sleep 600 > /dev/null 2>&1 & echo $! >> /run/crowd") + f"; kill -CONT {AGENT}"],
             ["kill $(cat /run/crowd)"], 0,
             rows("processes",
                  (Change("guest_processes"), between(CROWD, CROWD + 3)),
                  (Rise("guest_processes_started_total"), between(CROWD, CROWD + 12)),
                  (Rise("guest_process_happenings_left_out_total"), between(CROWD - 32, CROWD))),
             rows("processes", (Rise("guest_processes_ended_total"), between(CROWD, CROWD + 12)))),
    Stimulus("a process whose parent does not ask for its end",
             ["sh -c 'sleep 0.2 & exec sleep 600' > /dev/null 2>&1 & echo $! > /run/careless"],
             ["kill $(cat /run/careless)"], 0,
             rows("processes", (Value("guest_processes_zombie"), exactly(1)))),
    Stimulus("20 pings of the host", [f"ping -c 20 -A {HOST}"], (), 0, (),
             rows("network",
                  (Rise("guest_network_receive_packets_total", device="eth0"), between(20, 28)),
                  (Rise("guest_network_transmit_packets_total", device="eth0"), between(20, 28)))),
    Stimulus("1000 subshells", [times(1000, "(:)")], (), 0, (),
             rows("cpu", (Rise("guest_forks_total"), between(1000, 1250)))),
]

SERVICE = Stimulus(
    "the process of the unit web.service, ended and started again",
    ["mkfifo /run/quiet; " + background("web.service", "server", QUIET)],
    ["killall server; " + background("web.service", "server", QUIET)], 0,
    rows("processes",
         (Happened("guest.process_started", name="server", unit="web.service"), exactly(1)),
         (Value("guest_unit_processes", unit="web.service"), exactly(1))),
    rows("processes", (Happened("guest.process_restarted", name="server", unit="web.service"), exactly(1))))

# Between two of them the shell makes many calls: a part of these may be counted for all.
CALLS = Stimulus("a directory in use removed 20 times, in vain", [times(20, "rmdir /proc 2> /dev/null")], (), 0, (),
                 rows("ebpf",
                      (Rise("guest_syscall_errors_total", errno="EBUSY"), between(10, 40)),
                      (Rise("guest_syscalls_total", **{"class": "file"}), at_least(20))))

WIRE = 1.08  # bytes on the wire for one of data: headers, acknowledgements and what else is told meanwhile
NETWORK = [
    Stimulus("3 connections from the host, which stay",
             ["nc -ll -p 80 -e sink > /dev/null 2>&1 &", host_begins("serve", HOST, 5000),
              host_begins("hold", GUEST, 80, 3)],
             [host_ends("hold"), host_ends("serve"), "killall nc"], 0,
             rows("sockets",
                  (Change("guest_tcp_listeners"), exactly(1)),
                  (Value("guest_tcp_connections", scope="remote", state="established"), exactly(3)),
                  (Value("guest_tcp_rtt_seconds", scope="remote", probability="0.5"), between(1e-6, 0.2)),
                  (Cell("listeners", "connections", port=80), exactly(3)),
                  (Cell("peers", "connections", address=HOST, port=80, direction="in"), exactly(3)),
                  (Cell("protocols", "connections", service="http", scope="remote"), exactly(3)))
             + rows("tcp", (Change("guest_tcp_established"), exactly(3)))),
    Stimulus("10 more, one after the other, 5 of them ended by a reset",
             [host("connect", GUEST, 80, 5), host("reset", GUEST, 80, 5)], (), 0, (),
             rows("tcp",
                  (Rise("guest_tcp_passive_opens_total"), exactly(14)),
                  (Rise("guest_tcp_resets_total"), exactly(5)))
             + rows("ebpf", (Rise("guest_tcp_connections_total", direction="in"), between(11, 17)))),
    Stimulus("10 connections from the host to a port that nobody listens on", [host("connect", GUEST, 82, 10)], (), 0,
             (), rows("tcp", (Rise("guest_tcp_sent_resets_total"), exactly(10)))),
    Stimulus("10 connections to the host, and 10 to a port that nobody listens on there",
             [times(10, f"nc {HOST} 5000 < /dev/null"), times(10, f"nc {HOST} 5999 < /dev/null 2> /dev/null")], (), 0,
             rows("tcp", (Change("guest_tcp_time_wait"), between(10, 12))),
             rows("tcp",
                  (Rise("guest_tcp_active_opens_total"), exactly(21)),
                  (Rise("guest_tcp_failed_opens_total"), exactly(10)))
             + rows("ebpf",
                    (Rise("guest_tcp_connections_total", direction="out"), between(9, 14)),
                    (Rise("guest_tcp_connections_total", direction="failed"), between(8, 12)))),
    Stimulus("8 MiB from the host", [host("send", GUEST, 80, 8 * MIB)], (), 0, (),
             rows("network",
                  (Rise("guest_network_receive_bytes_total", device="eth0"), between(8 * MIB, 8 * WIRE * MIB)))
             + rows("tcp", (Rise("guest_tcp_received_segments_total"), between(100, 12000)))),
    Stimulus("8 MiB to the host", [f"dd if=/dev/zero bs=64k count=128 2> /dev/null | nc {HOST} 5000"], (), 0, (),
             rows("network",
                  (Rise("guest_network_transmit_bytes_total", device="eth0"), between(8 * MIB, 8 * WIRE * MIB)))
             + rows("tcp", (Rise("guest_tcp_sent_segments_total"), between(5790, 12000)))),
    Stimulus("50 frames of a protocol that nobody knows",
             [lambda stage: stage.act_of_host("frames", "br0", stage.mac, 50)], (), 0, (),
             rows("network", (Rise("guest_network_receive_drops_total", device="eth0"), exactly(50)))),
    Stimulus("30 datagrams to a port that nobody listens on", [host("datagrams", GUEST, 7000, 30)], (), 0, (),
             rows("tcp", (Rise("guest_udp_no_port_total"), exactly(30)))),
    Stimulus("10 small files fetched from the host by TFTP: 2 datagrams out and one in for each",
             [host_begins("files", HOST, 6900), times(10, f"tftp -g -r file -l /dev/null {HOST} 6900")],
             [host_ends("files")], 0, (),
             rows("tcp",
                  (Rise("guest_udp_sent_datagrams_total"), exactly(20)),
                  (Rise("guest_udp_received_datagrams_total"), exactly(10)))),
]

CUT = Stimulus(
    "a cable that is cut while a connection to the host has something to send, and another one is being opened",
    [host_begins("serve", HOST, 5000),
     f"(while :; do echo x; sleep 0.2; done | nc {HOST} 5000) > /dev/null 2>&1 &",
     f"ping -c 1 {HOST}", link("down"), f"nc -w 20 {HOST} 5999 < /dev/null > /dev/null 2>&1 &"],
    [link("up"), "killall nc", host_ends("serve")], 0,
    rows("tcp",
         (Rise("guest_tcp_retransmitted_segments_total"), at_least(3)),
         (Rise("guest_tcp_timeouts_total"), at_least(3)),
         (Rise("guest_tcp_syn_retransmits_total"), at_least(1)))
    + rows("sockets",
           (Value("guest_tcp_connections", scope="remote", state="syn_sent"), exactly(1)),
           (Cell("peers", "connections", address=HOST, port=5000, direction="out"), exactly(1)),
           (Peak("guest_tcp_loss_ratio", scope="remote"), between(0.05, 1))))

FULL_QUEUE = Stimulus(
    "5 connections from the host to a program that stands still, where 3 find room",
    ["nc -ll -p 81 -e sink > /dev/null 2>&1 & echo $! > /run/still; sleep 0.5; kill -STOP $(cat /run/still)",
     host_begins("hold", GUEST, 81, 5, ready=False)],
    ["kill -CONT $(cat /run/still)", host_ends("hold"), "kill $(cat /run/still)"], 0,
    rows("tcp",
         (Rise("guest_tcp_listen_overflows_total"), at_least(1)),
         (Rise("guest_tcp_listen_drops_total"), at_least(1)))
    + rows("sockets",
           (Cell("listeners", "accept_queue", port=81), exactly(3)),
           (Cell("listeners", "accept_queue_limit", port=81), exactly(2))))

FLOOD = 60
LOG_LINES = [
    Stimulus("100 warnings that differ in a number", [times(100, 'echo "<4>stimulus: try $i" > /dev/kmsg')], (), 0, (),
             rows("logs",
                  (Rise("guest_log_entries_total", priority="warning"), exactly(100)),
                  (Happened("guest.log", priority="warning"), exactly(100)))),
    # At most 14 lines are told in a round; these may fall into two.
    Stimulus(f"{FLOOD} errors that differ in words",
             [times(FLOOD, 'echo "<3>stimulus: $(echo $i | tr 0123456789 abcdefghij) is wrong" > /dev/kmsg')], (), 0,
             (),
             rows("logs",
                  (Rise("guest_log_entries_total", priority="error"), exactly(FLOOD)),
                  (Happened("guest.log", priority="err"), between(13, 28)),
                  (Rise("guest_log_entries_suppressed_total"), between(FLOOD - 28, FLOOD - 13)))),
]

FAULTS = [
    Stimulus("a program that writes to address 0", ["crasher || true"], (), 0, (),
             rows("logs",
                  (Rise("guest_crashes_total"), exactly(1)),
                  (Happened("guest.crash", process="crasher", signal="SIGSEGV"), exactly(1)))),
    Stimulus("a process that takes 32 MiB in a unit which may have 16",
             ["mkdir -p /sys/fs/cgroup/greedy.service; echo 16M > /sys/fs/cgroup/greedy.service/memory.max; "
              "as-unit greedy.service greedy 'exec dd if=/dev/zero of=/dev/null bs=32M count=1' || true"], (), 0, (),
             rows("memory", (Rise("guest_oom_kills_total"), exactly(1)))
             + rows("logs", (Happened("guest.oom_kill", process="dd", unit="greedy.service"), exactly(1)))),
    Stimulus("a fault that ext4 is told to report", ["echo stimulus > /sys/fs/ext4/vda/trigger_fs_error"], (), 0, (),
             rows("logs",
                  (Rise("guest_filesystem_errors_total"), exactly(1)),
                  (Happened("guest.filesystem_error", device="vda"), exactly(1)))),
    Stimulus("a sector that cannot be read",
             [f"dd if=/dev/vdb of=/dev/null bs=4k skip={SLOW_DISK_BAD_SECTOR // 8} count=1 iflag=direct || true"], (),
             0, (),
             rows("logs",
                  (Rise("guest_io_errors_total"), exactly(1)),
                  (Happened("guest.io_error", device="vdb"), exactly(1)))),
]

AGENT_ITSELF = [
    Stimulus("a daemon that stands still for 6 s", [daemon_stands_still(6)], (), 0, (),
             rows("agent", (Peak("guest_agent_echoes_kept"), between(4, 8)))),
    Stimulus("what ran since the boot",
             [], (), 0,
             rows("load",
                  (Value("guest_uptime_seconds"),
                   lambda story: near(ask(story, "cut -d ' ' -f 1 /proc/uptime"), 3)))
             + rows("cpu",
                    (Value("guest_boot_time_seconds"),
                     lambda story: near(story.stage.started, 60)))
             + rows("agent",
                    (Value("guest_agent_cpu_seconds_total"),
                     lambda story: near(ask(story, f"awk '{{print ($14 + $15) / 100}}' /proc/{AGENT}/stat"), 0.3)),
                    (Value("guest_agent_resident_bytes"),
                     lambda story: near(ask(story, f"awk '{{print $2 * 4096}}' /proc/{AGENT}/statm"), 0.3 * MIB)))),
]

# Scenes are played in this order, by the name under which the test shows them.
SCENES = {
    "one loop": [ONE_LOOP], "two loops": [TWO_LOOPS], "slow disk": SLOW_DISK, "held disk": [HELD_DISK],
    "file system and processes": FILE_SYSTEM, "memory": MEMORY, "page cache": PAGE_CACHE, "service": [SERVICE],
    "system calls": [CALLS],
    "network": NETWORK, "full queue": [FULL_QUEUE], "cut": [CUT], "log lines": LOG_LINES, "faults": FAULTS,
    "swap": [SWAP], "agent": AGENT_ITSELF,
}

# Sources that no row is for, each with the reason.
APPLICATIONS = "only where the agent's configuration names one, and this guest has none: e2e/test_applications.py"
ELSEWHERE = {"lab": "of guests that may be put under load: test_seen.py", "scrape": APPLICATIONS,
             "statsd": APPLICATIONS}

assert SLOW_DISK_BYTES >= READS * READ_BYTES and SLOW_DISK_BAD_SECTOR * 512 >= READS * READ_BYTES

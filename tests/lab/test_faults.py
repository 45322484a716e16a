"""The daemon dies, libvirt dies, hangs or comes back, the disk fills up, the store breaks: said, survived, not lost."""

import os
import signal
import time

import pytest
from labkit import SOAK, SETTLE, check_echoes, moment, seconds, wait_for
from lablib import machine

NAME = "fault-01"
KILLS = 100 if SOAK else 10


@pytest.fixture(scope="module")
def steady(lab):
    """A guest on host A that works all the time."""
    daemon = lab.daemon("A")
    lab.guests.start(lab.host("A"), NAME)
    daemon.wait_echo(NAME, more=5)
    assert daemon.cli("load", NAME, "--cpu", "0.2", "--disk", "256KiB", "--for", "3600s").returncode == 0
    yield daemon
    lab.host("A").virsh("destroy", NAME, check=False)
    lab.host("A").virsh("undefine", NAME, check=False)


def well(daemon):
    """Whether the daemon has no problem of its own; that other hosts of the lab may be off is one of theirs."""
    return all(problem.startswith("the daemon of ") for problem in daemon.health()["problems"])


def outside_times(daemon, start):
    """The times of libvirt's figures of the guest since then, as text and as seconds."""
    items = daemon.series(NAME, "libvirt_domain_info_cpu_time_seconds_total", **{"from": moment(start)})
    return {point["time"]: seconds(point["time"]) for item in items for point in item["points"]}


def test_a_killed_daemon_loses_the_last_second_at_most(lab, steady):
    host = lab.host("A")
    before = check_echoes(steady, name=NAME)
    shown = {}
    start = time.time()
    for _ in range(KILLS):
        steady.wait_echo(NAME, more=3)
        seen = outside_times(steady, time.time() - 10)
        kill = time.time()
        host.stop_daemon(signal.SIGKILL)
        # A commit a second, and the time that it takes.
        shown.update({text: when for text, when in seen.items() if when < kill - 1.5})
        host.start_daemon()
    steady.wait_echo(NAME, more=3)
    # What the guest said is sent again: nothing of it is gone. What libvirt said is not.
    assert check_echoes(steady, name=NAME, since=moment(start - 3600)) >= before + 3 * KILLS
    assert len(shown) >= 2 * KILLS
    gone = sorted(set(shown) - set(outside_times(steady, start - 20)))
    assert not gone, f"{len(gone)} of {len(shown)} figures are gone: {gone[:5]}"


def connection(daemon):
    return daemon.health()["environments"][0]


def test_a_killed_libvirtd_is_told_and_found_again(lab, steady):
    host = lab.host("A")
    pid, reconnects = host.daemon, connection(steady)["reconnects"]
    machine.end(host.libvirtd)
    wait_for(lambda: not connection(steady)["connected"], SETTLE, "the daemon notices")
    health = steady.health()
    assert health["status"] == "degraded" and any("libvirt" in problem for problem in health["problems"])
    assert NAME in [vm["name"] for vm in steady.get("vms")["items"]]
    assert steady.request("GET", "/healthz")[0] == 503
    host.start_libvirtd()
    wait_for(lambda: connection(steady)["connected"], SETTLE, "the daemon reconnects")
    assert connection(steady)["reconnects"] > reconnects
    steady.wait_echo(NAME, more=5)
    check_echoes(steady, name=NAME)
    wait_for(lambda: well(steady), SETTLE, "all is well again")
    kinds = [event["kind"] for event in steady.get("events", kind="libvirt.")["items"]]
    assert any("lost" in kind for kind in kinds), kinds
    assert host.daemon == pid


def test_what_changed_while_the_daemon_was_away_is_seen_afterwards(lab, steady):
    host = lab.host("A")
    text = lab.guests.xml("newcomer", disk="none")
    file = host.folder / "newcomer.xml"
    file.write_text(text, encoding="utf-8")
    host.virsh("define", file)
    wait_for(lambda: steady.vm("newcomer")["state"] == "shutoff", SETTLE, "the daemon sees a defined VM")
    host.stop_daemon()
    host.virsh("undefine", "newcomer")
    host.start_daemon()
    wait_for(lambda: NAME in [vm["name"] for vm in steady.get("vms")["items"]], SETTLE, "the list is read again")
    assert "newcomer" not in [vm["name"] for vm in steady.get("vms")["items"]]


def test_a_libvirtd_that_hangs_is_told_and_survived(lab, steady):
    host = lab.host("A")
    pid, hung = host.daemon, host.libvirtd
    os.kill(hung, signal.SIGSTOP)
    try:
        wait_for(lambda: not well(steady), SETTLE, "the daemon notices")
        begin = time.monotonic()
        listed = [vm["name"] for vm in steady.get("vms")["items"]]
        assert time.monotonic() - begin < 2, "an answer waited for libvirt"
        assert NAME in listed
    finally:
        os.kill(hung, signal.SIGCONT)
    wait_for(lambda: well(steady), 2 * SETTLE, "all is well again")
    steady.wait_echo(NAME, more=5)
    check_echoes(steady, name=NAME)
    assert host.daemon == pid


@pytest.fixture
def small_disk(lab, steady):
    """Host A's daemon with its state on a file system of 96 MiB; afterwards it has its own again."""
    host = lab.host("A")
    image = host.folder / "small.img"
    host.stop_daemon()
    with open(image, "wb") as file:
        file.truncate(96 << 20)
    machine.run(["mkfs.ext4", "-q", "-F", "-m", "0", image])
    host.exec("mount", "-o", "loop", image, "/var/lib/virtseer")
    host.exec("chown", "virtseer:virtseer", "/var/lib/virtseer")
    host.exec("chmod", "0700", "/var/lib/virtseer")
    host.start_daemon()
    steady.wait_echo(NAME, more=5)
    yield host
    host.stop_daemon()
    host.exec("umount", "/var/lib/virtseer")
    image.unlink()
    host.start_daemon()


def fill(host):
    """Takes the last block of the daemon's disk; returns when nothing more fits."""
    host.exec("sh", "-c", "dd if=/dev/zero of=/var/lib/virtseer/ballast bs=64k 2> /dev/null; "
                          "dd if=/dev/zero of=/var/lib/virtseer/ballast2 bs=512 2> /dev/null; sync; true")


def test_a_full_disk_is_told_and_nothing_is_lost(lab, steady, small_disk):
    start = time.time()
    steady.wait_echo(NAME, more=10)
    fill(small_disk)

    def told():
        fill(small_disk)
        problems = " ".join(steady.health()["problems"])
        return "disk" in problems.lower() or "space" in problems.lower() or "store" in problems.lower()

    wait_for(told, SETTLE, "the daemon says that the disk is full")
    first = steady.agent(NAME)["sequence"]
    wait_for(lambda: steady.agent(NAME)["sequence"] > first + 3, SETTLE, "last values go on")
    newest = max(item["time"] for item in steady.get(f"vms/{NAME}/latest")["items"])
    assert time.time() - seconds(newest) < 15
    assert steady.series(NAME, "echo_sequence", **{"from": moment(start)})[0]["points"]
    small_disk.exec("sh", "-c", "rm -f /var/lib/virtseer/ballast /var/lib/virtseer/ballast2")
    wait_for(lambda: well(steady), SETTLE, "the daemon writes again")
    steady.wait_echo(NAME, more=5)
    check_echoes(steady, name=NAME, since=moment(start))
    small_disk.stop_daemon()
    small_disk.start_daemon()
    steady.wait_echo(NAME, more=3)
    check_echoes(steady, name=NAME, since=moment(start))


def test_a_store_that_does_not_open_is_set_aside_and_told(lab, steady, small_disk):
    mark = "not a database at all"
    small_disk.stop_daemon()
    current = small_disk.exec("find", "/var/lib/virtseer", "-name", "CURRENT").stdout.split()
    assert len(current) == 1
    small_disk.exec("sh", "-c", f"echo '{mark}' > {current[0]}")
    small_disk.start_daemon()
    steady.wait_echo(NAME, more=3)
    told = [event["message"] for event in steady.get("events", kind="store.")["items"]]
    told += steady.health()["problems"]
    assert any("aside" in line for line in told), told
    kept = small_disk.exec("grep", "-rl", mark, "/var/lib/virtseer").stdout.split()
    assert kept, "the broken store was deleted"
    assert NAME in [vm["name"] for vm in steady.get("vms")["items"]]

"""The lab comes up and goes without a trace; it never needs addresses outside its namespaces."""

import os
import pathlib
import socket
import subprocess

import pytest
from labkit import ROOT
from lablib import machine
from lablib.host import BINDS
from lablib.lab import Lab
from lablib.machine import LabError

LAB = ROOT / "tests/lab/lab"


@pytest.fixture
def other_lab(lab):
    """The environment of a second lab beside the shared one."""
    return dict(os.environ, VIRTSEER_LAB="/tmp/virtseer-lab-other", VIRTSEER_BIN=str(lab.binary))


def command(environment, *arguments):
    return subprocess.run([LAB, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300, check=False)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def namespaces(pids):
    found = set()
    for pid in pids:
        for kind in ("mnt", "net", "pid", "uts", "ipc", "cgroup"):
            try:
                found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
            except OSError:
                continue
    return found


def traces(world, spaces):
    """What of a lab is on the machine: `spaces` are its namespaces. The machine may do other work meanwhile."""
    mounts = pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    places = {line.split()[4] for line in mounts}
    loops = subprocess.run(["losetup", "--list", "--noheadings"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = {place for place in places if place in BINDS.values() or place.startswith(str(world.folder))}
    found |= {line for line in loops.splitlines() if f" {world.folder}/" in line}
    found |= {group for letter in "ABC" for group in world.host(letter).group.left()}
    found |= set(os.listdir("/sys/class/net")) & {"sw0", "br0", "up0", "portA", "portB", "portC"}
    found |= {path for path in (str(world.folder), f"{world.folder}.lock") if os.path.exists(path)}
    found |= {str(path) for path in pathlib.Path("/var/lock").glob("LCK..*")}
    return found | namespaces(machine.pids()) & spaces


def test_two_runs_in_a_row_leave_nothing_behind(other_lab):
    world = Lab(other_lab["VIRTSEER_LAB"])
    folders = {path for path in BINDS.values() if os.path.exists(path)}
    before = traces(world, set())
    for _ in range(2):
        up = command(other_lab, "up", "A", "B")
        assert up.returncode == 0, up.stdout
        start = command(other_lab, "guest", "start", "A", "trace")
        assert start.returncode == 0, start.stdout
        assert command(other_lab, "forward", "A", str(free_port())).returncode == 0
        spaces = namespaces([world.host("A").init, world.host("B").init, world.switch]) - namespaces([os.getpid()])
        during = traces(world, spaces)
        assert len(spaces) == 13 and spaces < during
        assert any("trace.raw" in line for line in during) and any("virtseer-lab-" in line for line in during)
        down = command(other_lab, "down")
        assert down.returncode == 0, down.stdout
        assert traces(world, spaces) == before
    assert {path for path in BINDS.values() if os.path.exists(path)} == folders


def test_three_hosts_come_up_with_a_share_of_the_machine_each(other_lab):
    try:
        up = command(other_lab, "up", "A", "B", "C")
        assert up.returncode == 0, up.stdout
        for letter in "ABC":
            hosts = command(other_lab, "virtseer", letter, "hosts")
            assert hosts.returncode == 0 and f"host-{letter}" in hosts.stdout
            quota = command(other_lab, "exec", letter, "sh", "-c",
                            "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2> /dev/null | head -1")
            assert quota.stdout.split()[0] in ("60000", "30000"), quota.stdout
    finally:
        down = command(other_lab, "down")
    assert down.returncode == 0, down.stdout


def test_hosts_have_their_own_cpu_network_and_libvirt(lab):
    seen = {}
    for letter in "AB":
        host = lab.host(letter)
        allowed = host.exec("grep", "Cpus_allowed_list", "/proc/self/status").stdout.split()[1]
        address = host.exec("ip", "-brief", "address", "show", "br0").stdout
        uuid = host.virsh("capabilities").stdout
        seen[letter] = (allowed, address, uuid)
        assert host.address in address
        assert host.uuid in uuid
    assert os.cpu_count() < 2 or seen["A"][0] != seen["B"][0]
    outside = subprocess.run(["ip", "-brief", "address"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "10.77.0." not in outside


def test_the_daemon_is_not_root_and_may_not_read_images(lab, guest):
    guest("A", "rights")
    host = lab.host("A")
    status = pathlib.Path(f"/proc/{host.daemon}/status").read_text(encoding="utf-8")
    uid = status.split("Uid:")[1].split()[0]
    assert int(uid) == host.user_id() != 0
    assert "CapEff:\t0000000000000000" in status
    reading = host.exec("setpriv", "--reuid=virtseer", "--regid=virtseer", "--clear-groups",
                        "dd", "if=/var/lib/libvirt/disks/rights", "of=/dev/null", "count=1", check=False)
    assert reading.returncode != 0 and "Permission denied" in reading.stderr


def test_the_forwarder_serves_the_daemon_on_loopback(lab):
    url = lab.forward("B", free_port())
    body = subprocess.run(["curl", "-s", "-m", "20", f"{url}api/v1/hosts"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    assert '"host-B"' in body
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LabError, match="in use"):
            lab.forward("A", taken.getsockname()[1])

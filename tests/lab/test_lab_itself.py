"""The lab comes up and goes without a trace; it never needs addresses outside its namespaces."""

import os
import pathlib
import socket
import subprocess

import pytest
from labkit import ROOT
from lablib.machine import LabError

LAB = ROOT / "tests/lab/lab"


@pytest.fixture
def other_lab(lab):
    """The environment of a second lab beside the shared one."""
    return dict(os.environ, VIRTSEER_LAB="/tmp/virtseer-lab-other", VIRTSEER_BIN=str(lab.binary))


def command(environment, *arguments):
    return subprocess.run([LAB, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300, check=False)


def traces():
    """What a lab could leave on a machine."""
    namespaces = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        for kind in ("mnt", "net", "pid", "uts", "ipc", "cgroup"):
            try:
                namespaces.add(os.readlink(process / "ns" / kind))
            except OSError:
                continue
    mounts = {line.split(" ", 4)[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()}
    loops = subprocess.run(["losetup", "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    groups = {str(path) for path in pathlib.Path("/sys/fs/cgroup").glob("*/virtseer-lab-*")}
    links = set(os.listdir("/sys/class/net"))
    folders = {path for path in ("/etc/virtseer", "/run/virtseer", "/var/lib/virtseer", "/etc/libvirt", "/run/libvirt",
                                 "/tmp/virtseer-lab-other", "/tmp/virtseer-lab-other.lock") if os.path.exists(path)}
    folders.update(str(path) for path in pathlib.Path("/var/lock").glob("LCK..*"))
    return {"namespaces": namespaces, "mounts": mounts, "loops": loops, "groups": groups, "links": links,
            "folders": folders}


def test_two_runs_in_a_row_leave_nothing_behind(other_lab):
    before = traces()
    for _ in range(2):
        up = command(other_lab, "up", "A", "B")
        assert up.returncode == 0, up.stdout
        start = command(other_lab, "guest", "start", "A", "trace")
        assert start.returncode == 0, start.stdout
        assert traces()["loops"] != before["loops"]
        down = command(other_lab, "down")
        assert down.returncode == 0, down.stdout
        assert traces() == before


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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = lab.forward("B", port)
    body = subprocess.run(["curl", "-s", "-m", "20", f"{url}api/v1/hosts"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    assert '"host-B"' in body
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LabError, match="in use"):
            lab.forward("A", taken.getsockname()[1])

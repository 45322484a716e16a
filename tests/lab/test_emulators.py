"""A guest without an agent has a profile: what the kernel counts of its emulator."""

import time

import pytest
from labkit import BOOT, SETTLE, wait_for
from lablib.inside import Inside

NAME = "plain-01"
METRIC = "libvirt_domain_emulator_"
WRITES = 100
WINDOW = 15
BEATS = 3  # seconds; the lab's daemons look every second


def total(daemon, metric, **labels):
    """The sum of the latest values of a metric's series with these labels."""
    return sum(item["value"] for item in daemon.get(f"vms/{NAME}/latest")["items"]
               if item["metric"] == metric and labels.items() <= item["labels"].items())


def settled(daemon, metric, least, **labels):
    """The metric's latest value once it has reached the least and stands still."""
    def still():
        first, begun = total(daemon, metric, **labels), time.time()
        wait_for(lambda: time.time() - begun > BEATS, 10, "some beats")
        return first >= least and total(daemon, metric, **labels) == first and first

    return wait_for(still, 60, f"{metric} {labels} reaches {least}")


@pytest.fixture
def plain(lab):
    """A guest with a disk, a shell and no agent, on a host whose daemon counts; gone afterwards."""
    host, daemon = lab.host("A"), lab.daemon("A")
    host.configure("ebpf", "[host]\nebpf = true\n")
    try:
        lab.guests.start(host, NAME, disk="shared", channels=(), stimuli=True, memory=192)
        wait_for(lambda: "emulator" in daemon.vm(NAME)["inputs"], BOOT, "the emulator is counted")
        shell = Inside(host, NAME)
        yield shell
        shell.close()
    finally:
        host.virsh("destroy", NAME, check=False)
        host.virsh("undefine", NAME, check=False)
        host.deconfigure("ebpf")


def test_writes_and_waits_of_a_guest_without_an_agent_are_told(lab, plain):
    daemon = lab.daemon("A")
    view = daemon.vm(NAME)
    assert "agent" not in view["inputs"] and not any(one.startswith("emulator") for one in view["missing_inputs"])

    wanted = dict(operation="write", up_to_seconds="+Inf")
    before = total(daemon, METRIC + "block_requests_total", **wanted)
    asked = total(daemon, "libvirt_domain_block_stats_write_requests_total")
    # Each is a write of its own to the disk, and some more of the file system's journal.
    code, said = plain.run(f"for i in $(seq {WRITES}); do dd if=/dev/zero of=/data/one bs=4096 count=1 conv=fsync "
                           "2> /dev/null || exit 1; done")
    assert code == 0, said
    after = settled(daemon, METRIC + "block_requests_total", before + WRITES / 2, **wanted)
    asked = settled(daemon, "libvirt_domain_block_stats_write_requests_total", asked + WRITES) - asked
    assert WRITES / 2 <= after - before <= 2 * asked, (after - before, asked)
    assert total(daemon, METRIC + "block_request_seconds_total", operation="write") > 0
    assert total(daemon, METRIC + "syscalls_total") > WRITES

    # A busy guest: its threads wait at least as long as libvirt says that its vCPUs did, programs that pause aside.
    plain.run("for i in 1 2 3 4; do (while :; do :; done) > /dev/null 2>&1 & done")
    start = time.time()
    wait_for(lambda: time.time() > start + WINDOW + 5, WINDOW + 30, "a busy guest's figures")
    waited = daemon.rate(NAME, METRIC + "runqueue_wait_seconds_total", start, start + WINDOW)
    delay = daemon.rate(NAME, "libvirt_domain_vcpu_delay_seconds_total", start, start + WINDOW)
    assert waited >= delay / 2, (waited, delay)
    waits = daemon.rate(NAME, METRIC + "runqueue_waits_total", start, start + WINDOW,
                        lambda labels: labels["up_to_seconds"] == "+Inf")
    assert waits > 0

    # Told as a metric too, and what it costs.
    told = {name for name, _ in daemon.metrics()}
    assert {f"{METRIC}syscalls_total", "virtseer_host_ebpf_cost_seconds_total"} <= told
    cost = sum(value for (name, _), value in daemon.metrics().items() if name == "virtseer_host_ebpf_cost_seconds_total")
    assert cost < 0.01 * (time.time() - start) + 1


def test_without_the_rights_a_guest_says_that_its_emulator_is_not_counted(lab, plain):
    host, daemon = lab.host("A"), lab.daemon("A")
    host.stop_daemon()
    host.start_daemon(rights=False)
    try:
        def said():
            return [one for one in daemon.vm(NAME)["missing_inputs"] if one.startswith("emulator: not permitted")]

        assert "CAP_BPF" in wait_for(said, SETTLE, "the missing right is said")[0]
        assert "emulator" not in daemon.vm(NAME)["inputs"]
        assert daemon.vm(NAME)["usage"]["cpu_cores"] is not None
    finally:
        host.restart_daemon()

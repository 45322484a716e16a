"""What a guest does is seen from inside and outside, before and after a restart of the daemon and a live move."""

import signal
import time

import pytest
from labkit import BOOT, check_echoes, wait_for

MIB = 1 << 20
CPU, MEMORY, DISK = 0.5, 48 * MIB, 2 * MIB
NAME = "web-01"
AWAY = 120


def busy(labels):
    return labels.get("mode") not in ("idle", "iowait", "steal")


def measure(daemon, start, end):
    """What guest and libvirt say of the same window, each as (least, most)."""
    def used(available, usable):
        return daemon.mean(NAME, available, start, end) - daemon.mean(NAME, usable, start, end)

    def exactly(value):
        return value, value

    # Under emulation the guest sees no steal: what it counts lies between what its vCPU got and what it wanted.
    got, waited = (daemon.rate(NAME, f"libvirt_domain_vcpu_{part}_seconds_total", start, end)
                   for part in ("time", "delay"))
    return {
        "guest cpu": exactly(daemon.rate(NAME, "guest_cpu_seconds_total", start, end, busy)),
        "libvirt cpu": (got, got + waited),
        "guest memory": exactly(daemon.mean(NAME, "guest_memory_used_bytes", start, end)),
        "libvirt memory": exactly(used("libvirt_domain_memory_stats_available_bytes",
                                       "libvirt_domain_memory_stats_usable_bytes")),
        "guest disk": exactly(daemon.rate(NAME, "guest_disk_write_bytes_total", start, end)),
        "libvirt disk": exactly(daemon.rate(NAME, "libvirt_domain_block_stats_write_bytes_total", start, end)),
    }


def settled_load(daemon, length, idle):
    """Each figure, less what the guest did before, is what was ordered, within a tenth, in one of three windows of
    that length: an emulated guest counts its time by ticks that what else the machine does may move."""
    for _ in range(3):
        wrong = off_load(daemon, *window(daemon, length), idle)
        if not wrong:
            return
    assert not wrong


def off_load(daemon, start, end, idle):
    """The figures of that window that are not as ordered."""
    ordered = {"cpu": CPU, "memory": MEMORY, "disk": DISK}
    wrong = {}
    for key, (least, most) in measure(daemon, start, end).items():
        wanted, before = ordered[key.split()[1]], idle[key][0]
        if least - before > 1.1 * wanted or most - before < 0.9 * wanted:
            wrong[key] = {"read": (least, most), "idle": before, "ordered": wanted}
    return wrong


def window(daemon, length):
    """Waits for a window of that length, from now on, to be stored by both sources."""
    start = time.time()

    def covered():
        latest = daemon.get(f"vms/{NAME}/latest")["items"]
        ends = {}
        for item in latest:
            ends[item["source"]] = max(ends.get(item["source"], ""), item["time"])
        limit = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(start + length))
        return len(ends) >= 2 and min(ends.values()) > limit

    wait_for(covered, length + 60, "a window of figures")
    return start, start + length


@pytest.fixture(scope="module")
def loaded(lab):
    """The guest idle for a while, then under load; -> (idle figures, begin of the load)."""
    daemon = lab.daemon("A")
    lab.guests.start(lab.host("A"), NAME, memory=192)
    daemon.wait_echo(NAME, more=15)
    idle = measure(daemon, *window(daemon, 15))
    order = daemon.cli("load", NAME, "--cpu", str(CPU), "--memory", "48MiB", "--disk", "2MiB", "--for", "600s")
    assert order.returncode == 0, order.stderr
    daemon.wait_echo(NAME, more=5)
    yield idle
    for letter in "AB":
        lab.host(letter).virsh("destroy", NAME, check=False)
        lab.host(letter).virsh("undefine", NAME, check=False)


def test_guest_and_libvirt_agree_with_what_was_ordered(lab, loaded):
    daemon = lab.daemon("A")
    settled_load(daemon, 20, loaded)


def test_the_load_is_shown_in_vm_series_and_metrics(lab, loaded):
    daemon = lab.daemon("A")
    window(daemon, 5)
    view = daemon.vm(NAME)
    assert view["role"] == "lab" and view["state"] == "running"
    assert set(view["inputs"]) == {"agent", "libvirt", "balloon"} and not view["missing_inputs"]

    def usage():
        """The view's figures of the last seconds, once all are within a tenth of what was ordered."""
        now = daemon.vm(NAME)["usage"]
        for figure, wanted in (("guest_cpu_cores", CPU + loaded["guest cpu"][0]),
                               ("memory_used_bytes", MEMORY + loaded["guest memory"][0]),
                               ("disk_write_bytes_per_second", DISK + loaded["guest disk"][0])):
            assert abs(now[figure] - wanted) < 0.1 * wanted, f"{figure} {now[figure]}, wanted {wanted}"
        assert now["cpu_cores"] + now["cpu_delay_cores"] >= 0.9 * CPU
        assert now["work_units_per_second"] > 0
        return now

    seen = wait_for(usage, 60, "the view shows the load")
    here, there = (lab.daemon(letter).get("hosts")["items"][0]["usage"] for letter in "AB")
    assert here["cpu_cores"] > there["cpu_cores"] + 0.5 * CPU, "a host shows what another one does"
    assert here["pressure_cpu_ratio"] is not None and here["vms_running"] == 1
    shown = daemon.cli("vm", NAME)
    assert shown.returncode == 0 and NAME in shown.stdout
    listed = daemon.cli("series", NAME, "guest_cpu_seconds_total", "--aggregation", "rate", "--from", "1m")
    assert listed.returncode == 0 and "guest_cpu_seconds_total" in listed.stdout

    metrics = daemon.metrics()
    memory = [value for (name, labels), value in metrics.items()
              if name == "virtseer_guest_memory_used_bytes" and NAME in dict(labels).values()]
    assert len(memory) == 1 and abs(memory[0] - seen["memory_used_bytes"]) < 0.1 * memory[0]
    for metric in ("virtseer_guest_cpu_seconds_total", "libvirt_domain_vcpu_time_seconds_total",
                   "virtseer_guest_ticks_total", "libvirt_domain_block_stats_write_bytes_total"):
        assert any(name == metric and NAME in dict(labels).values() for name, labels in metrics), metric


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_of_the_daemon_loses_and_doubles_nothing(lab, loaded, sign):
    host, daemon = lab.host("A"), lab.daemon("A")
    before = check_echoes(daemon, name=NAME)
    host.stop_daemon(sign)
    host.start_daemon()
    daemon.wait_echo(NAME)
    wait_for(lambda: check_echoes(daemon, name=NAME) >= before + 10, BOOT, "ten more echoes, none missing, none twice")
    settled_load(daemon, 15, loaded)


def test_a_move_by_hand_loses_and_doubles_nothing(lab, loaded):
    source, target = lab.daemon("A"), lab.daemon("B")
    lab.guests.migrate(NAME, lab.host("A"), lab.host("B"))
    target.wait_echo(NAME, more=20)
    # Two: those between the last acknowledgement and the switch-over, at one echo and one commit a second.
    assert check_echoes(source, target, name=NAME, resent=2) > 40
    settled_load(target, 15, loaded)
    assert target.vm(NAME)["host_name"] == "host-B"
    wait_for(lambda: NAME not in [vm["name"] for vm in source.get("vms")["items"]], 30, "the source forgets the VM")
    moved = [event["kind"] for event in target.get(f"vms/{NAME}/events")["items"]]
    assert any(kind.startswith("vm.") for kind in moved)


def test_two_minutes_without_a_daemon_and_then_a_move_lose_and_double_nothing(lab, loaded):
    lost, target = lab.daemon("B"), lab.daemon("A")
    lost.wait_echo(NAME, more=2)
    before = check_echoes(target, lost, name=NAME, resent=2)
    lab.host("B").stop_daemon(signal.SIGKILL)
    back = time.monotonic() + AWAY
    wait_for(lambda: time.monotonic() > back, AWAY + 5, "two minutes without a daemon")
    lab.host("B").start_daemon()
    lost.wait_echo(NAME)
    # Beside those of the first move, two between the last acknowledgement and the switch-over.
    lab.guests.migrate(NAME, lab.host("B"), lab.host("A"))
    target.wait_echo(NAME, more=5)
    assert check_echoes(target, lost, name=NAME, resent=4) >= before + AWAY


def test_load_is_refused_for_a_production_guest(lab, guest):
    daemon = lab.daemon("B")
    guest("B", "prod-01", role="production")
    assert daemon.vm("prod-01")["role"] == "production"
    done = daemon.cli("load", "prod-01", "--cpu", "0.5", "--for", "10s")
    assert done.returncode == 4
    assert "production" in done.stderr
    status, _, _ = daemon.request("POST", "/api/v1/vms/prod-01/load", {"cpu_cores": 0.5, "duration_ms": 10000})
    assert status == 403


def test_a_guest_without_a_role_is_production(lab, guest):
    daemon = lab.daemon("B")
    guest("B", "plain-01", role="")
    assert daemon.vm("plain-01")["role"] == "production"
    assert daemon.cli("load", "plain-01", "--cpu", "0.1", "--for", "5s").returncode == 4


def test_a_guest_with_a_copied_disk_keeps_its_ticks_over_a_move(lab, guest):
    guest("A", "copied", disk="local")
    lab.daemon("A").wait_echo("copied", more=5)
    lab.guests.migrate("copied", lab.host("A"), lab.host("B"))
    lab.daemon("B").wait_echo("copied", more=10)
    check_echoes(lab.daemon("A"), lab.daemon("B"), name="copied", resent=2)

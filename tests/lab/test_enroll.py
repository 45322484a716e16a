"""A guest that was defined without a channel is enrolled while it runs; the doctor says what is not seen."""

import json

import pytest
from labkit import BOOT, SETTLE, wait_for
from lablib import guest_agent

CHANNEL = "org.virtseer.echo.0"
GUEST_AGENT = "org.qemu.guest_agent.0"
NAME = "bare-01"


def kinds(daemon, name):
    """The doctor's findings of one VM: kind -> finding."""
    return {item["kind"]: item for item in daemon.get("doctor")["items"] if item["entity_name"] == name}


def enroll(daemon, *arguments):
    """What the CLI says of enrolling the guest, as the REST body."""
    done = daemon.cli("--output", "json", "enroll", NAME, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def definitions(host):
    """The guest's XML as it runs, and as it starts the next time."""
    return host.virsh("dumpxml", NAME).stdout, host.virsh("dumpxml", NAME, "--inactive").stdout


@pytest.fixture
def bare(lab):
    """bare(*channels): the guest with these channels, once its kernel drives the memory balloon; gone afterwards."""
    host, daemon = lab.host("A"), lab.daemon("A")

    def start(*channels, disk="none", **options):
        lab.guests.start(host, NAME, disk=disk, channels=channels, **options)
        wait_for(lambda: "balloon" in daemon.vm(NAME)["inputs"], BOOT, "the guest is up")

    yield start
    host.virsh("destroy", NAME, check=False)
    host.virsh("undefine", NAME, check=False)


def test_a_guest_without_channel_is_enrolled_while_it_runs_and_echoes(lab, bare):
    host, daemon = lab.host("A"), lab.daemon("A")
    bare()
    found = kinds(daemon, NAME)
    assert found["vm.channel_missing"]["command"] == f"virtseer enroll {NAME}"
    qemu = host.qemu(NAME)

    before = definitions(host)
    planned = enroll(daemon, "--dry-run")
    assert planned["fits"] and planned["changed"] and planned["dry_run"]
    assert definitions(host) == before, "a dry run changed the guest"

    done = enroll(daemon)
    assert done["changed"] and all(step["done"] for step in done["steps"])
    for text in definitions(host):
        assert CHANNEL in text
    daemon.wait_echo(NAME)
    assert host.qemu(NAME) == qemu, "the guest was restarted"
    assert "agent" in daemon.vm(NAME)["inputs"]
    assert "vm.channel_missing" not in kinds(daemon, NAME)
    events = daemon.get(f"vms/{NAME}/events", kind="vm.enrolled")["items"]
    assert len(events) == 1

    enrolled = definitions(host)
    again = enroll(daemon)
    assert not again["changed"] and definitions(host) == enrolled
    assert len(daemon.get(f"vms/{NAME}/events", kind="vm.enrolled")["items"]) == 1

    host.virsh("destroy", NAME)
    host.virsh("start", NAME)
    daemon.wait_echo(NAME)
    assert CHANNEL in definitions(host)[0]


def test_a_guest_gives_its_channel_back_while_it_runs(lab, bare):
    host, daemon = lab.host("A"), lab.daemon("A")
    bare(CHANNEL)
    daemon.wait_echo(NAME)
    qemu = host.qemu(NAME)
    done = enroll(daemon, "--remove")
    assert done["changed"]
    for text in definitions(host):
        assert CHANNEL not in text
    assert host.qemu(NAME) == qemu
    wait_for(lambda: "vm.channel_missing" in kinds(daemon, NAME), SETTLE, "the doctor misses the channel")
    assert not enroll(daemon, "--remove")["changed"]
    enroll(daemon)
    daemon.wait_echo(NAME)


def test_a_running_guest_without_a_virtio_serial_port_is_enrolled_for_its_next_start(lab, bare):
    host, daemon = lab.host("A"), lab.daemon("A")
    bare(serial=False)
    before = definitions(host)
    refused = daemon.cli("enroll", NAME)
    assert refused.returncode == 4 and "virtio-serial port" in refused.stderr
    assert definitions(host) == before
    assert enroll(daemon, "--next-start")["changed"]
    live, config = definitions(host)
    assert CHANNEL not in live and CHANNEL in config
    host.virsh("destroy", NAME)
    host.virsh("start", NAME)
    daemon.wait_echo(NAME)


def test_a_guest_that_is_off_is_changed_in_its_definition(lab):
    host, daemon = lab.host("A"), lab.daemon("A")
    lab.guests.define(host, NAME, disk="none", channels=())
    try:
        wait_for(lambda: daemon.vm(NAME), SETTLE, "the daemon sees the definition")
        assert enroll(daemon)["changed"]
        assert CHANNEL in host.virsh("dumpxml", NAME, "--inactive").stdout
        wait_for(lambda: daemon.vm(NAME)["has_channel"], SETTLE, "the daemon sees the channel")
    finally:
        host.virsh("undefine", NAME)


def test_a_guest_whose_metadata_forbids_it_is_left_alone(lab, bare):
    host, daemon = lab.host("A"), lab.daemon("A")
    bare()
    host.virsh("metadata", NAME, "https://virtseer.org/ns/1", "--key", "virtseer", "--live", "--config", "--set",
               "<vm><policy enroll='no'/></vm>")
    before = definitions(host)
    refused = daemon.cli("enroll", NAME)
    assert refused.returncode == 4 and "metadata" in refused.stderr
    assert daemon.cli("enroll", NAME, "--dry-run").returncode == 4
    assert definitions(host) == before
    assert daemon.cli("enroll", "nobody-01").returncode == 1


def test_a_guest_over_tls_gets_a_token_that_only_the_daemon_can_read(lab, bare):
    host, daemon = lab.host("A"), lab.daemon("A")
    bare()
    done = enroll(daemon, "--tls", f"{host.address}:8687")
    assert done["token_file"].endswith(".token")
    told = host.exec("stat", "-c", "%a %U", done["token_file"]).stdout.split()
    assert told == ["600", "virtseer"]
    token = host.exec("cat", done["token_file"]).stdout.strip()
    assert len(token) == 64
    assert token not in json.dumps(done) and token not in lab.log("A")
    assert CHANNEL not in definitions(host)[0]
    assert not enroll(daemon, "--tls", f"{host.address}:8687")["changed"]
    assert enroll(daemon, "--remove")["changed"]
    assert host.exec("test", "-e", done["token_file"], check=False).returncode != 0


def test_a_guest_agent_that_does_not_answer_is_said_and_holds_nobody_up(lab, bare):
    host, daemon = lab.host("A"), lab.daemon("A")
    host.configure("guests", '[libvirt]\nguest_agent_interval = "2s"\n')
    try:
        bare(CHANNEL, GUEST_AGENT)
        daemon.wait_echo(NAME)
        finding = wait_for(lambda: kinds(daemon, NAME).get("vm.guest_agent_silent"), SETTLE, "the doctor misses it")
        assert finding["severity"] == "info"
        assert any(line.startswith("qemu-guest-agent:") for line in daemon.vm(NAME)["missing_inputs"])
        assert daemon.health()["environments"][0]["calls_stuck"] == 0
        assert daemon.vm(NAME)["guest"] is None
    finally:
        host.deconfigure("guests")


def test_a_guest_with_qemu_guest_agent_alone_is_served_by_it_and_says_what_it_lacks(lab, bare):
    host, daemon = lab.host("A"), lab.daemon("A")
    host.configure("guests", '[libvirt]\nguest_agent_interval = "2s"\n')
    try:
        bare(GUEST_AGENT, disk="local", qemu_ga=True, memory=192)
        vm = wait_for(lambda: (seen := daemon.vm(NAME))["guest"] and seen, BOOT, "qemu-guest-agent answers")
        assert vm["inputs"] == ["libvirt", "balloon", "qemu-guest-agent"]
        assert [line.split(":")[0] for line in vm["missing_inputs"]] == ["agent"]
        guest = vm["guest"]
        assert guest["os"] == guest_agent.SYSTEM and guest["hostname"] == guest_agent.HOSTNAME
        assert guest["kernel"] and guest["vcpus_online"] == 1
        assert abs(guest["clock_offset_seconds"] + guest_agent.CLOCK_BEHIND_SECONDS) < 30
        assert [(each["mountpoint"], each["type"]) for each in guest["filesystems"]] == [("/data", "ext4")]
        assert 0 < guest["filesystems"][0]["used_bytes"] < guest["filesystems"][0]["total_bytes"] <= 64 << 20
        found = kinds(daemon, NAME)
        assert found["vm.clock_off"]["severity"] == "error" and "behind" in found["vm.clock_off"]["what"]
        assert "vm.guest_agent_silent" not in found and "vm.channel_missing" in found
        metric = "libvirt_guest_clock_offset_seconds"
        wait_for(lambda: daemon.series(NAME, metric, source="libvirt")[0]["points"], SETTLE, "a clock offset")
        sizes = daemon.series(NAME, "libvirt_guest_filesystem_size_bytes", source="libvirt")
        assert [item["labels"]["mountpoint"] for item in sizes] == ["/data"]
        shown = daemon.cli("vm", NAME)
        assert guest_agent.SYSTEM in shown.stdout and "behind the host's" in shown.stdout

        # The same guest is asked by others, and what they may wait is not shortened: fsfreeze takes its time.
        answer = host.virsh("qemu-agent-command", NAME, '{"execute":"guest-ping"}').stdout
        assert json.loads(answer) == {"return": {}}
    finally:
        host.deconfigure("guests")


def test_a_guest_with_nothing_is_served_and_says_all_that_it_lacks(lab, bare):
    daemon = lab.daemon("A")
    bare()
    vm = daemon.vm(NAME)
    assert vm["inputs"] == ["libvirt", "balloon"] and vm["guest"] is None
    assert [line.split(":")[0] for line in vm["missing_inputs"]] == ["agent", "qemu-guest-agent"]
    assert vm["usage"]["cpu_cores"] is not None and vm["usage"]["memory_used_bytes"] is not None
    assert f"virtseer enroll {NAME}" in daemon.cli("vm", NAME).stdout


def test_a_guest_that_is_being_moved_is_not_enrolled(lab, guest):
    source, here = lab.host("A"), lab.daemon("A")
    guest("A", NAME)
    # At 1 MiB/s the move lasts until it is aborted.
    source.configure("slow", "[migration]\nbandwidth = \"1MiB\"\n")
    try:
        here.wait_echo(NAME)
        status, begun = here.post(f"vms/{NAME}/migrate", {"to": "host-B"})
        assert status == 202, begun
        before = definitions(source)
        refused = here.cli("enroll", NAME, "--remove")
        assert refused.returncode == 4 and "another host" in refused.stderr, refused.stderr
        told = json.loads(here.cli("--output", "json", "enroll", NAME, "--remove", "--dry-run").stdout)
        assert not told["fits"] and not next(c for c in told["checks"] if c["name"] == "operation")["held"]
        assert definitions(source) == before
        assert here.cli("abort", begun["operation"]["id"]).returncode == 0
        wait_for(lambda: here.get("operations", active="true")["items"] == [], BOOT, "the move has ended")
        enroll(here, "--remove")
    finally:
        source.deconfigure("slow")


def test_how_fast_a_guest_writes_its_memory_is_measured_and_tells_what_a_move_takes(lab, guest):
    host, daemon = lab.host("A"), lab.daemon("A")
    host.configure("dirty", '[libvirt]\ndirty_rate_period = "5s"\n')
    try:
        guest("A", NAME)
        metric = "libvirt_domain_dirty_rate_bytes_per_second"
        wait_for(lambda: daemon.series(NAME, metric, source="libvirt")[0]["points"], SETTLE, "a dirty rate")

        def known():
            hosts = daemon.get(f"vms/{NAME}/ranking")["hosts"]
            return [h for h in hosts if h["cost"] and h["cost"]["dirty_rate_known"]]

        wait_for(known, SETTLE, "the cost of a move rests on it")
    finally:
        host.deconfigure("dirty")


def test_the_doctor_ends_with_an_error_where_libvirt_is_lost(lab):
    host, daemon = lab.host("B"), lab.daemon("B")
    host.kill_libvirtd()
    try:
        def lost():
            return [item for item in daemon.get("doctor")["items"] if item["kind"] == "host.libvirt_lost"]

        assert wait_for(lost, SETTLE, "the doctor misses libvirt")[0]["severity"] == "error"
        told = daemon.cli("doctor")
        assert told.returncode == 1 and "not connected" in told.stdout
    finally:
        host.start_libvirtd()

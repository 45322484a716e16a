"""Moves as a person orders them: what they bring along, what they leave behind, what is refused and why."""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import uuid

import pytest
from labkit import BOOT, SETTLE, check_echoes, wait_for
from moves import (AT_SOURCE, ENDED, FAST_MIB, SLOW_MIB, Journey, all_ended, autostart, defined, remove, running,
                   watched)

SHARED, LOCAL, FILLED = "go-shared", "go-local", "go-filled"
FILLED_MIB = 64
PATH = ["planned", "checking", "reserving", "preparing", "migrating", "settling", "verifying", "committing", "done"]


@pytest.fixture(scope="module")
def shared(lab):
    """A guest on shared storage, on host A."""
    yield from _guest(lab, SHARED, monitor=True)


@pytest.fixture(scope="module")
def local(lab):
    """A guest whose disk is a file of host A."""
    yield from _guest(lab, LOCAL, monitor=True, disk="local", disk_size=64)


@pytest.fixture
def filled(lab):
    """A guest whose disk is a file of host A without a zero that a copy could skip; and the digest of the disk."""
    file = image(lab.host("A"), FILLED)
    file.write_bytes(os.urandom(FILLED_MIB << 20))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    for name in _guest(lab, FILLED, monitor=True, disk="local", disk_size=FILLED_MIB):
        yield name, digest
    for host in lab.hosts():
        image(host, FILLED).unlink(missing_ok=True)


def _guest(lab, name, **options):
    host = lab.host("A")
    lab.guests.start(host, name, **options)
    host.virsh("autostart", name)
    lab.daemon("A").wait_echo(name, more=5, timeout=BOOT)
    yield name
    remove(lab, name)


@contextlib.contextmanager
def configured(host, name, toml):
    host.configure(name, toml)
    try:
        yield
    finally:
        host.deconfigure(name)


def newest(daemon, name):
    return daemon.get("operations", vm=name)["items"][0]


def images(host, name=""):
    return sorted(path.name for path in (host.folder / "lib/images").iterdir() if path.name.startswith(name))


def image(host, name):
    return host.folder / "lib/images" / f"{name}.raw"


def check_moved(lab, name, watch, source, target):
    """It ran without a break, and everything of it is at the target."""
    assert not watch.running_twice() and watch.longest_pause()[0] < 5, watch.told()
    assert running(lab, name) == defined(lab, name) == [target.letter]
    assert autostart(target, name)
    check_echoes(lab.daemon(source.letter), lab.daemon(target.letter), name=name, resent=2)


def move(lab, name, source, target, *options):
    """The operation of a move by the CLI that waits for its end."""
    with watched(lab, name) as watch:
        done = lab.daemon(source.letter).cli("migrate", name, target.name, "--wait", *options, timeout=300)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        lab.daemon(target.letter).wait_echo(name, more=3)
    check_moved(lab, name, watch, source, target)
    return newest(lab.daemon(source.letter), name)


def test_a_move_on_shared_storage_brings_everything_along(lab, shared):
    source, target = lab.host("A"), lab.host("B")
    enrolled = lab.daemon("A").cli("--output", "json", "enroll", shared, "--tls", f"{source.address}:8687")
    assert enrolled.returncode == 0, enrolled.stderr
    token_file = json.loads(enrolled.stdout)["token_file"]
    token = source.exec("cat", token_file).stdout
    seen = move(lab, shared, source, target)
    assert seen["state"] == "done" and seen["kind"] == "migration" and not seen["copy_storage"]
    states = [step["state"] for step in seen["steps"]]
    assert [state for state in PATH if state in states] == [s for n, s in enumerate(states) if s not in states[:n]]
    assert seen["duration_ms"] > 0 and seen["downtime_ms"] > 0 and seen["progress"]["processed_bytes"] > 0
    assert seen["before"]["ticks"] < seen["after"]["ticks"]
    assert (seen["from_name"], seen["to_name"]) == (source.name, target.name)
    arrival = wait_for(lambda: (found := lab.daemon("B").get(f"operations/{seen['id']}"))["state"] in ENDED and found,
                       SETTLE, "the arrival has ended")
    assert arrival["kind"] == "arrival" and arrival["state"] == "done" and arrival["confirmed"]
    assert source.exec("test", "-e", token_file, check=False).returncode != 0
    assert token and target.exec("cat", token_file).stdout == token
    assert target.exec("stat", "-c", "%a %U", token_file).stdout.split() == ["600", "virtseer"]
    assert token.strip() not in lab.log("A") + lab.log("B")
    for daemon in (lab.daemon("A"), lab.daemon("B")):
        told = daemon.cli("operation", seen["id"])
        assert told.returncode == 0 and "done" in told.stdout
    kinds = [event["kind"] for event in lab.daemon("A").get("events", kind="operation.")["items"]]
    assert "operation.started" in kinds and "operation.finished" in kinds
    again = lab.daemon("A").cli("abort", seen["id"])
    assert again.returncode == 4 and "ended" in again.stderr
    # And back: what was learnt and left on the first way does not stand in the way of the second.
    move(lab, shared, target, source)
    assert source.exec("cat", token_file).stdout == token


def test_a_move_with_a_copied_disk_leaves_none_behind(lab, local):
    source, target = lab.host("A"), lab.host("B")
    file = f"{LOCAL}.raw"
    refused = lab.daemon("A").cli("migrate", local, target.name, "--wait")
    assert refused.returncode == 4 and "disk" in refused.stderr + refused.stdout
    assert running(lab, local) == ["A"] and file in images(source)
    seen = move(lab, local, source, target, "--copy-storage")
    assert seen["state"] == "done" and seen["copy_storage"] and not seen["advice"], seen
    assert file in images(target)
    assert not images(source, LOCAL), "a disk was left behind"


def test_a_copy_that_is_aborted_half_way_leaves_nothing_and_the_next_one_succeeds(lab, filled):
    name, digest = filled
    source, target = lab.host("A"), lab.host("B")
    one = Journey(lab, name, source, target, copy_storage=True)
    one.pace(SLOW_MIB)
    with watched(lab, name) as watch:
        one.begin().reaches("migrating")
        # The disk goes before the memory.
        sent = wait_for(lambda: (size := (one.look()["progress"] or {}).get("processed_bytes", 0)) > 8 << 20 and size,
                        SETTLE, "the disk is being copied")
        assert sent < FILLED_MIB << 20 and image(target, name).exists()
        aborted = one.daemon.cli("abort", one.id)
        assert aborted.returncode == 0, aborted.stderr
        seen = one.ends()
        all_ended(lab)
    assert seen["state"] == "aborted" and not seen["advice"], seen
    assert not images(target, name), "the half of a disk was left"
    assert running(lab, name) == defined(lab, name) == ["A"] and autostart(source, name)
    assert watch.longest_pause()[0] < 5 and not watch.running_twice(), watch.told()
    assert hashlib.sha256(image(source, name).read_bytes()).hexdigest() == digest
    one.pace(FAST_MIB)
    seen = move(lab, name, source, target, "--copy-storage")
    assert seen["state"] == "done" and seen["copy_storage"] and not seen["advice"], seen
    assert hashlib.sha256(image(target, name).read_bytes()).hexdigest() == digest
    assert not images(source, name), "a disk was left behind"


def test_a_dry_run_changes_nothing(lab, shared):
    source, target = lab.host("A"), lab.host("B")
    before = [lab.daemon(letter).get("operations")["items"] for letter in "AB"]
    fits = lab.daemon("A").cli("migrate", shared, target.name, "--dry-run")
    assert fits.returncode == 0, fits.stdout + fits.stderr
    status, answer = lab.daemon("A").post(f"vms/{shared}/migrate", {"to": target.name, "dry_run": True})
    assert status == 200 and answer["operation"] is None
    dry = answer["dry_run"]
    assert dry["fits"] and dry["checks"] and all(check["held"] and check["words"] for check in dry["checks"])
    wrong = lab.daemon("A").cli("migrate", shared, "host-C", "--dry-run")
    assert wrong.returncode == 4 and "host-C" in wrong.stdout + wrong.stderr
    assert [lab.daemon(letter).get("operations")["items"] for letter in "AB"] == before
    assert running(lab, shared) == defined(lab, shared) == ["A"] and autostart(source, shared)


# --- refused before anything moves ---


def refusal(lab, name, target, *options):
    """(exit code, what was said) of a move from host A that must not begin; the guest stays as it is."""
    done = lab.daemon("A").cli("migrate", name, target, "--wait", *options, timeout=120)
    assert running(lab, name) == defined(lab, name) == ["A"]
    assert autostart(lab.host("A"), name)
    for operation in lab.daemon("A").get("operations", vm=name)["items"]:
        assert operation["state"] in ENDED
        if operation["to_name"] == target and operation["state"] == "refused":
            assert "migrating" not in [step["state"] for step in operation["steps"]]
    return done.returncode, done.stdout + done.stderr


def test_an_unknown_host_is_refused_with_those_that_are_known(lab, shared):
    code, said = refusal(lab, shared, "host-X")
    assert code not in (0, 3) and "host-X" in said and "host-B" in said
    status, answer = lab.daemon("A").post(f"vms/{shared}/migrate", {"to": "host-X"})
    assert status == 404 and "host-X" in answer["detail"]


def test_the_host_where_it_is_is_refused(lab, shared):
    code, said = refusal(lab, shared, "host-A")
    assert code not in (0, 3) and f"{shared} is on host-A already" in said


def test_a_full_host_is_refused_with_numbers(lab, shared):
    with configured(lab.host("B"), "small", '[host]\nmemory = "64MiB"\n'):
        heard_again(lab)
        code, said = refusal(lab, shared, "host-B")
    assert code == 4 and "memory" in said and re.search(r"\d+(\.\d+)? ?[MG]iB", said), said


def test_a_host_without_its_network_is_refused(lab):
    host = lab.host("A")
    host.exec("ip", "link", "add", "br7", "type", "bridge")
    host.exec("ip", "link", "set", "br7", "up")
    try:
        text = lab.guests.xml("go-network", disk="none").replace("<source bridge='br0'/>", "<source bridge='br7'/>")
        file = host.folder / "go-network.xml"
        file.write_text(text, encoding="utf-8")
        host.virsh("define", file)
        host.virsh("start", "go-network")
        host.virsh("autostart", "go-network")
        wait_for(lambda: lab.daemon("A").vm("go-network")["state"] == "running", SETTLE, "the daemon sees it")
        code, said = refusal(lab, "go-network", "host-B")
        assert code == 4 and "br7" in said, said
    finally:
        remove(lab, "go-network")
        host.exec("ip", "link", "delete", "br7")


def test_a_host_that_was_never_reached_is_refused(lab, shared):
    code, said = refusal(lab, shared, "host-C")
    assert code == 4 and "host-C" in said, said


def test_what_this_host_can_tell_is_refused_at_once_and_is_no_operation(lab, shared):
    daemon = lab.daemon("A")
    before = daemon.get("operations")["items"]
    status, answer = daemon.post(f"vms/{shared}/migrate", {"to": "host-C"})
    assert status == 403 and "host-C" in answer["detail"], answer
    lab.guests.define(lab.host("A"), "go-off", disk="none")
    try:
        wait_for(lambda: daemon.vm("go-off")["state"] == "shutoff", SETTLE, "the daemon knows it")
        status, answer = daemon.post("vms/go-off/migrate", {"to": "host-B"})
        assert status == 403 and "only a VM that runs is moved live" in answer["detail"], answer
        ranked = daemon.cli("rank", "go-off")
        assert ranked.returncode == 4 and "go-off is shutoff here" in ranked.stderr, ranked
    finally:
        remove(lab, "go-off")
    assert daemon.get("operations")["items"] == before


def test_without_a_host_it_leaves_one_in_maintenance(lab, shared):
    daemon = lab.daemon("A")
    assert daemon.cli("maintenance", "host-A", "on").returncode == 0
    try:
        wait_for(lambda: "would best run on host-B" in daemon.cli("rank", shared).stdout, SETTLE, "it is ranked anew")
        said = daemon.cli("migrate", shared, "--dry-run")
        assert said.returncode == 0 and f"{shared} could move to host-B" in said.stdout, said
    finally:
        assert daemon.cli("maintenance", "host-A", "off").returncode == 0


def test_a_silent_host_is_refused(lab, shared):
    host = lab.host("B")
    with host.held(host.daemon):
        code, said = refusal(lab, shared, "host-B")
    assert code == 4 and "host-B" in said, said
    heard_again(lab)


def test_what_the_vm_s_own_policy_forbids_is_refused(lab, shared):
    host = lab.host("A")
    policy = "<vm><policy migrate='no'/></vm>"
    key = ["--uri", "https://virtseer.org/ns/1", "--key", "virtseer", "--live", "--config"]

    def lines():
        return [line for line in lab.daemon("A").get(f"vms/{shared}/policy")["lines"] if line["key"] == "migrate"]

    host.virsh("metadata", shared, *key, "--set", policy)
    try:
        wait_for(lambda: not lab.daemon("A").get(f"vms/{shared}/policy")["policy"]["migrate"], SETTLE, "it is read")
        assert any(line["source"] == "domain metadata" and line["taken"] for line in lines())
        shown = lab.daemon("A").cli("policy", "show", shared)
        assert shown.returncode == 0 and "metadata" in shown.stdout
        code, said = refusal(lab, shared, "host-B")
        assert code == 4 and "policy" in said, said
    finally:
        host.virsh("metadata", shared, *key, "--remove")
    wait_for(lambda: lab.daemon("A").get(f"vms/{shared}/policy")["policy"]["migrate"], SETTLE, "it is read again")


def test_a_host_in_maintenance_takes_nothing(lab, shared):
    assert lab.daemon("A").cli("maintenance", "host-B", "on").returncode == 0
    try:
        wait_for(lambda: lab.daemon("B").get("fleet/state")["host"]["maintenance"], SETTLE, "host B knows")
        code, said = refusal(lab, shared, "host-B")
        assert code == 4 and "maintenance" in said, said
    finally:
        assert lab.daemon("A").cli("maintenance", "host-B", "off").returncode == 0


def heard_again(lab):
    """Host A hears host B, which expects nothing any more: what it reserved too late it has given up."""
    def known():
        return lab.daemon("A").post(f"vms/{SHARED}/migrate", {"to": "host-B", "dry_run": True})[0] == 200
    wait_for(known, SETTLE, "host A asks host B again")
    wait_for(lambda: not lab.daemon("B").get("operations", active="true")["items"], 3 * SETTLE,
             "host B expects nothing")


# --- two for one place ---


def order(lab, name, operation, memory):
    host = lab.host("A")
    live = host.virsh("dumpxml", name, "--security-info", "--migratable").stdout
    own = host.virsh("domuuid", name).stdout.strip()
    other = str(uuid.uuid4())
    state = lab.daemon("A").get("fleet/state")["host"]
    shares = {each["id"] for each in state["storage"] if each["shared"]}
    disks = [disk["storage"] for vm in state["vms"] if vm["uuid"] == own for disk in vm["disks"]]
    return {"operation": operation, "dry_run": False, "return_of": "", "vm": other, "vm_name": operation,
            "from": host.uuid, "from_name": host.name, "cpus": 0.1, "memory_bytes": memory, "copy_storage": False,
            "storage": sorted(shares.intersection(disks)),
            "live_xml": live.replace(own, other).replace(f"<name>{name}</name>", f"<name>{operation}</name>")}


def test_of_two_that_race_for_one_place_one_is_told_yes(lab, shared):
    daemon = lab.daemon("B")
    state = daemon.get("fleet/state")["host"]
    free = state["capacity"]["memory_bytes"] - state["memory_given_bytes"]
    assert free > 0
    orders = [order(lab, shared, f"race-{number}", int(free * 0.6)) for number in (1, 2)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda one: daemon.post("reservations", one), orders))
    try:
        granted = [answer for status, answer in answers if status in (200, 201) and answer["reservation"]]
        assert len(granted) == 1, json.dumps(answers)[:2000]
        losers = [answer for _, answer in answers if not answer.get("reservation")]
        assert "memory" in json.dumps(losers), losers
    finally:
        for one in orders:
            daemon.post(f"reservations/{one['operation']}/release")
    third = order(lab, shared, "race-3", int(free * 0.6))
    status, answer = daemon.post("reservations", third)
    assert status in (200, 201) and answer["reservation"], "what was given back is free again"
    daemon.post("reservations/race-3/release")
    wait_for(lambda: not daemon.get("fleet/state")["host"]["reservations"], SETTLE, "nothing is held any more")


def test_two_orders_for_one_vm_make_one_move(lab, shared):
    source, target = lab.host("A"), lab.host("B")
    first = Journey(lab, shared, source, target).begin()
    status, answer = first.daemon.post(f"vms/{shared}/migrate", {"to": target.name})
    assert status in (403, 409) and answer["detail"], answer
    assert first.ends()["state"] == "done"
    back = Journey(lab, shared, target, source).begin()
    assert back.ends()["state"] not in AT_SOURCE

"""What the daemon foresees, proposes and, where it may, does by itself with guests under load."""

import time

import pytest
from labkit import BOOT, SETTLE, wait_for
from moves import ENDED, END, autostart, defined, remove, running

# Cores of the two guests of a host: together more than it has. They differ, so that one of them is the better one to
# move: the smaller leaves a better balance. What waits wants more than it was told: its pauses shrink against its work.
LOADS = (0.7, 0.5)
GUESTS = {"A": ("busy-a1", "busy-a2"), "B": ("busy-b1", "busy-b2")}
FORESEEN = 120


@pytest.fixture(scope="module")
def fleet(lab):
    """Two guests on each host, all idle."""
    names = [name for pair in GUESTS.values() for name in pair]
    for letter, pair in GUESTS.items():
        for name in pair:
            lab.guests.start(lab.host(letter), name, memory=96)
    for letter, pair in GUESTS.items():
        for name in pair:
            lab.daemon(letter).wait_echo(name, more=3, timeout=BOOT)
    yield names
    for letter in GUESTS:
        lab.host(letter).deconfigure("mode")
    for name in names:
        remove(lab, name)


def load(lab, letter, loads):
    for name, cores in zip(GUESTS[letter], loads):
        order = ["--cpu", str(cores), "--for", "1h"] if cores else ["--stop"]
        done = lab.daemon(letter).cli("load", name, *order)
        assert done.returncode == 0, done.stderr


def places(lab):
    return {name: running(lab, name) for pair in GUESTS.values() for name in pair}


def due(daemon):
    """The step of the newest plan that a daemon would take now."""
    steps = daemon.get("plan")["steps"]
    return next((step for step in steps if step["state"] == "due"), None)


def moves(daemon, name=None):
    """The migrations that a daemon knows of these guests, or of one."""
    names = (name,) if name else (*GUESTS["A"], *GUESTS["B"])
    return [one for one in daemon.get("operations", limit=1000)["items"]
            if one["kind"] == "migration" and one["vm_name"] in names]


def test_with_a_second_host_as_loaded_nothing_is_done_and_it_is_said_why(lab, fleet):
    daemon = lab.daemon("A")
    before = places(lab)
    load(lab, "A", LOADS)
    load(lab, "B", LOADS)

    def full():
        plan = daemon.get("plan")
        hosts = {host["name"]: host["contention"] for host in plan["hosts"]}
        assert hosts["host-A"]["already"] and hosts["host-B"]["probability"] > 0.5, hosts
        assert not plan["steps"] and "no beneficial action" in plan["verdict"].lower(), plan["verdict"]
        return plan

    plan = wait_for(full, FORESEEN, "both hosts are short, and no move helps")
    assert plan["reasons"] and plan["rejected"]
    assert any(one["host_name"] == "host-B" and one["why"] == "contended" for one in plan["rejected"]), plan["rejected"]
    assert all(one["words"] for one in plan["rejected"])
    told = daemon.cli("plan")
    assert told.returncode in (0, 5) and "no beneficial action" in told.stdout.lower()
    assert daemon.cli("explain", plan["id"]).returncode == 0
    contended = wait_for(lambda: daemon.get("events", kind="host.contended")["items"], SETTLE, "contention is measured")
    assert contended[0]["fields"]["since"]
    assert places(lab) == before and not moves(daemon)


def test_forecasts_have_a_band_and_a_record(lab, fleet):
    daemon = lab.daemon("A")

    def cpu():
        items = daemon.get(f"vms/{GUESTS['A'][0]}/forecast")["items"]
        return [item for item in items if item["resource"] == "cpu"]

    assert [item["horizon_ms"] for item in cpu()] == [60000, 240000]
    for item in cpu():
        for target in (item["level"], item["peak"]):
            assert target["p50"] <= target["p80"] <= target["p95"]
        assert item["unit"] == "cores" and item["record"]["scored"] >= 0
    wait_for(lambda: abs(cpu()[0]["level"]["p50"] - LOADS[0]) < 0.4, FORESEEN, "the load is what is foreseen")
    shown = daemon.cli("forecast", GUESTS["A"][0])
    assert shown.returncode == 0 and "cpu" in shown.stdout


def test_observing_names_a_move_and_does_nothing(lab, fleet):
    daemon = lab.daemon("A")
    before = places(lab)
    load(lab, "B", (0, 0))

    def proposed():
        step = due(daemon)
        return step and step["to_name"] == "host-B" and step["vm_name"] in GUESTS["A"] and step

    step = wait_for(proposed, FORESEEN, "a move to host B is proposed")
    assert not step["executable"] and "observe" in step["held_back"] and step["reasons"] and step["counterfactuals"]
    assert step["mode"] == "observe" and step["cost"]["duration_ms"] > 0 and step["relief"] > 0
    ranked = daemon.get(f"vms/{step['vm_name']}/ranking")["hosts"]
    assert ranked[0]["name"] == "host-B" and ranked[0]["fits"] and ranked[0]["parts"]
    assert {host["name"] for host in ranked} >= {"host-A", "host-B"}
    for words in (["plan"], ["rank", step["vm_name"]], ["explain", step["id"]]):
        told = daemon.cli(*words)
        assert told.returncode == 0 and "host-B" in told.stdout, f"{words}: {told.stdout}{told.stderr}"
    rounds = daemon.get("plan")["round"]
    wait_for(lambda: daemon.get("plan")["round"] > rounds + 10, SETTLE, "ten more rounds")
    assert places(lab) == before and not moves(daemon)


def test_the_global_stop_holds_back_what_auto_would_do(lab, fleet):
    daemon = lab.daemon("A")
    assert daemon.cli("automation", "off").returncode == 0
    lab.host("A").configure("mode", '[policy]\nmode = "auto"\n')
    step = wait_for(lambda: due(daemon), FORESEEN, "a move is proposed")
    assert not daemon.get("automation")["on"] and daemon.get("plan")["stopped"]
    rounds = daemon.get("plan")["round"]
    wait_for(lambda: daemon.get("plan")["round"] > rounds + 10, SETTLE, "ten more rounds")
    assert not step["executable"] and not moves(daemon)


def test_auto_moves_what_was_proposed_and_the_rest_stays(lab, fleet):
    daemon = lab.daemon("A")
    named = wait_for(lambda: due(daemon), FORESEEN, "a move is proposed")
    assert daemon.cli("automation", "on").returncode == 0
    operation = wait_for(lambda: moves(daemon), FORESEEN, "it moves by itself")[0]
    assert operation["origin"] == "plan" and operation["reasons"] and operation["plan_step"]
    assert (operation["vm_name"], operation["to_name"]) == (named["vm_name"], named["to_name"])
    seen = wait_for(lambda: (one := daemon.get(f"operations/{operation['id']}"))["state"] in ENDED and one, END,
                    "its end")
    assert seen["state"] == "done", seen
    assert running(lab, named["vm_name"]) == ["B"]
    told = daemon.cli("explain", operation["id"])
    assert told.returncode == 0 and named["vm_name"] in told.stdout
    wait_for(lambda: daemon.get("events", kind="host.relieved")["items"], FORESEEN, "the host is relieved")
    rounds = daemon.get("plan")["round"]
    wait_for(lambda: daemon.get("plan")["round"] > rounds + 15, SETTLE, "more rounds")
    assert len(moves(daemon)) == 1 and not moves(lab.daemon("B")), "one noisy neighbour, one move"


def test_maintenance_empties_the_host(lab, fleet):
    daemon = lab.daemon("A")
    left = [name for name in GUESTS["A"] if running(lab, name) == ["A"]]
    assert len(left) == 1
    assert daemon.cli("load", left[0], "--stop").returncode == 0
    lab.host("A").virsh("autostart", left[0])
    begin = time.monotonic()
    assert daemon.cli("maintenance", "host-A", "on").returncode == 0
    try:
        wait_for(lambda: running(lab, left[0]) == ["B"] and not moves_active(daemon), END, "the host is empty")
        assert defined(lab, left[0]) == ["B"] and autostart(lab.host("B"), left[0])
        operation = moves(daemon, left[0])[0]
        assert operation["state"] == "done" and "maintenance" in " ".join(operation["reasons"]), operation
        assert time.monotonic() - begin < END
    finally:
        assert daemon.cli("maintenance", "host-A", "off").returncode == 0


def moves_active(daemon):
    return [one for one in moves(daemon) if one["state"] not in ENDED]

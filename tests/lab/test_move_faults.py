"""Fault by step: whatever dies while a guest moves, it runs once, and its operation says where."""

import time

import pytest
from fault_table import FAULTS, POWER, STEPS, TABLE
from labkit import BOOT, SETTLE, SOAK, wait_for
from moves import (AT_SOURCE, ENDED, FAST_MIB, Fault, Journey, Step, Traveller, all_ended, autostart, defined, life,
                   remove, running, watched, whole)

NAME = "moves-01"
SHORT_CUT, LONG_CUT = 12, 180
CELLS = {place: cell for place, cell in {**TABLE, **POWER}.items() if SOAK or cell.always}


@pytest.fixture(scope="module")
def traveller(lab):
    yield Traveller(lab, NAME, memory=128)
    whole(lab)
    remove(lab, NAME)


@pytest.fixture
def journey(lab, traveller):
    """From where the guest is to the other host."""
    whole(lab)
    source = traveller.settle()
    target = lab.host("B" if source.letter == "A" else "A")
    one = Journey(lab, NAME, source, target)
    one.pace(FAST_MIB)
    return one


def wait_out_the_cut(journey, step, length):
    """The link stays cut. A move that cannot know where its guest is says so, and why, and does nothing."""
    end = time.monotonic() + length
    ended, uncertain, places = [], [], []

    def over():
        seen = journey.look()
        places.append(running(journey.lab, NAME))
        if seen["state"] in ENDED:
            ended.append(seen)
        if seen["state"] == "uncertain":
            uncertain.append(seen["message"])
        return time.monotonic() > end and (uncertain or step != "verifying")

    wait_for(over, length + SETTLE, "the destination is silent, and that is said", every=0.5)
    assert not ended or step in ("reserving", "preparing"), ended[0]
    assert all(uncertain) and max(map(len, places)) <= 1


def strike(journey, step, kind, watch, cut):
    """Brings the move to the step, strikes, puts right; returns for how long the step was held."""
    with Step(journey, step, watch):
        held = time.monotonic()
        if (step, kind) == ("verifying", "link"):
            journey.confirmed()  # else it is suspended until the source answers
        fault = Fault(journey, kind)
        fault.strike()
        if (step, kind) == ("migrating", "abort"):
            journey.ends()  # it takes effect while memory is still being sent
    held = time.monotonic() - held
    if kind == "link":
        wait_out_the_cut(journey, step, cut)
    fault.repair()
    journey.pace(FAST_MIB)
    return held


def check_once(journey, watch, place, held):
    """Never two, never none, as far as the emulators said so; those of both hosts, once there were two."""
    cell = CELLS[place]
    for host in [journey.source] + [journey.target] * (place[0] not in ("reserving", "preparing")):
        assert watch.answers[host.letter], f"the emulator at {host.name} was never heard: {watch.told()}"
    assert not watch.running_twice(), f"two copies ran: {watch.running_twice()[:2]}; {watch.told()}"
    pause, _ = watch.longest_pause()
    assert cell.pause is None or pause <= cell.pause + held, f"stood still for {pause:.1f} s: {watch.told()}"


def check_place(journey, seen, cell):
    """It runs where the operation says, is defined there alone, and starts with that host."""
    lab = journey.lab
    where = journey.source if seen["state"] in AT_SOURCE else journey.target
    if cell.off and not running(lab, NAME):
        assert defined(lab, NAME) == [where.letter]
        return None
    wait_for(lambda: running(lab, NAME) == [where.letter], SETTLE,
             f"it runs at {where.letter}, as the operation says ({seen['state']}: {seen['message']})")
    assert defined(lab, NAME) == [where.letter], "a definition is left where it does not run"
    wait_for(lambda: autostart(where, NAME), SETTLE, "it starts with its host again")
    return where


def check_life(lab, where, cell, before):
    """The counter went on, or began anew once where the emulator was killed."""
    daemon = lab.daemon(where.letter)
    daemon.wait_echo(NAME, more=2, timeout=BOOT)

    def goes_on():
        epoch, ticks = life(daemon, NAME)
        same = epoch == before[0]
        assert cell.reboots is None or same != cell.reboots, f"the guest began {'not ' if same else ''}anew"
        return not same or ticks > before[1]

    wait_for(goes_on, SETTLE, "the guest's counter goes on")


def check_words(journey, seen):
    told = journey.daemon.cli("operation", journey.id)
    assert told.returncode == 0, told.stderr
    assert seen["state"].replace("_", " ") in told.stdout.replace("_", " "), told.stdout
    assert seen["message"], seen
    assert journey.id in journey.daemon.cli("operations", "--vm", seen["vm"]).stdout


@pytest.mark.parametrize("step, kind", CELLS, ids=[f"{step}-{kind}".replace(" ", "-") for step, kind in CELLS])
def test_a_fault_leaves_one_running_copy_and_the_truth(lab, traveller, journey, step, kind):
    cell = CELLS[step, kind]
    daemon = journey.daemon
    before = wait_for(lambda: life(daemon, NAME), SETTLE, "the guest counts")
    with watched(lab, NAME) as watch:
        held = strike(journey, step, kind, watch, LONG_CUT if SOAK else SHORT_CUT)
        seen = journey.ends()
        # The destination's half, and a way back with both of its own, go on after it.
        all_ended(lab)
        where = check_place(journey, seen, cell)
        if where:
            check_life(lab, where, cell, before)
    assert seen["state"] in cell.ends, seen
    check_once(journey, watch, (step, kind), held)
    check_words(journey, seen)
    if where:
        traveller.leave(where)


def test_the_table_names_every_step_and_every_fault():
    assert {step for step, _ in CELLS} == set(STEPS)
    assert {kind for _, kind in CELLS} == {*FAULTS, "source power", "destination power"}

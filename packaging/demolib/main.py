"""The demonstration after the build: tells the story, writes what was measured, leaves all running or takes it away."""

import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import select
import signal
import sys

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from telling import Failed, Teller, Unheard, put
from world import ROOT, WEB, World, machine
from story import Story, busy, faults

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Occupied(Exception):
    """Something else is at work in the lab's folder; the text says what to do."""


def parse():
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    return parser.parse_args()


def _lock(file, otherwise):
    """The open file, locked, with this process's number in it."""
    while True:
        lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(lock, 20).decode(errors="replace").strip()
            os.close(lock)
            raise Occupied(otherwise.format(pid=owner or "?")) from None
        # Whoever had it may have removed it between the two.
        if os.path.exists(file) and os.path.samestat(os.fstat(lock), os.stat(file)):
            os.truncate(lock, 0)
            os.write(lock, f"{os.getpid()}\n".encode())
            return lock
        os.close(lock)


@contextlib.contextmanager
def claimed(file, otherwise):
    """The file is locked within the block; Occupied(otherwise) at once if it is locked already."""
    lock = _lock(file, otherwise)
    try:
        yield
    finally:
        os.close(lock)


def perform(world, teller):
    """The facts, with `ok` and what went wrong."""
    story = Story(world, teller)
    wrong = []
    try:
        story.tell()
    except (Failed, machine.LabError, AssertionError, OSError) as error:
        wrong.append(str(error))
    facts = story.facts
    wrong += [] if wrong else faults(facts)
    if wrong and busy(facts):
        wrong.append(busy(facts))
    return {"ok": not wrong, "failures": wrong, "conditions": None, "observe": None, "auto": None, "gain_ratio": None,
            **facts, "story_seconds": round(teller.elapsed(), 1)}


def keep(facts, file):
    """Writes what was measured; a file that cannot be written is one more failure."""
    try:
        file.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        facts["ok"] = False
        facts["failures"].append(f"what was measured is not kept: {error}")


def leave_running(world, teller):
    """Until a signal, or until nobody is there any more to give one."""
    teller.chapter("All of it stays up until Ctrl-C")
    for name, url in world.forward().items():
        teller.list([f"{name}: {url}api/v1/plan  {url}api/v1/operations  {url}metrics"])
    lab = f"sudo VIRTSEER_LAB={world.lab.folder} {ROOT}/tests/lab/lab"
    teller.list([f"{lab} virtseer {words}" for words in
                 ("A hosts", "A plan", f"B vm {WEB}", f"B forecast {WEB}", f"B rank {WEB}", "A operations",
                  f"B load {WEB} --cpu 0.2 --for 10m", f"B migrate {WEB} host-A --dry-run",
                  f"B migrate {WEB} host-A --wait")])
    teller.list([f"After the last one {WEB} is on host-A: ask A for it then, B has it no more."])
    gone = select.poll()
    gone.register(sys.stdout, 0)
    gone.poll()


def interrupted(*_):
    raise KeyboardInterrupt


def heed_signals():
    for sign in ENDING:
        # What whoever started this had ignored (nohup) stays ignored.
        if signal.getsignal(sign) != signal.SIG_IGN:
            signal.signal(sign, interrupted)


def heed_no_signal():
    while True:
        try:
            for sign in ENDING:
                signal.signal(sign, signal.SIG_IGN)
            return
        except KeyboardInterrupt:
            continue


def take_away(world, teller):
    """Whatever becomes of the terminal meanwhile."""
    with contextlib.suppress(Unheard):
        teller.say("taking everything away")
    try:
        left = world.down()
    except (machine.LabError, OSError) as error:
        left = [str(error)]
    for line in left:
        put(f"left behind: {line}", sys.stderr)


def demonstrate(world, wish, working):
    """Whether it happened. `working` is closed once the lab's own commands may change things."""
    teller, facts = Teller(), None
    try:
        # When a terminal goes, signals come in pairs: the second one may come at any line here.
        try:
            heed_signals()
            facts = perform(world, teller)
            if wish.json:
                keep(facts, wish.json)
            working.close()
            for line in facts["failures"]:
                teller.say(f"NOT AS PROMISED: {line}")
            if facts["ok"]:
                teller.say(f"it happened, in {facts['story_seconds']:.0f} s")
            if not wish.once:
                leave_running(world, teller)
        finally:
            heed_no_signal()
    except (KeyboardInterrupt, Unheard):
        put("")
    finally:
        heed_no_signal()
        take_away(world, teller)
    return bool(facts and facts["ok"])


def main():
    wish = parse()
    lacking = machine.faults()
    if lacking:
        put("demo: it cannot run here:\n  " + "\n  ".join(lacking), sys.stderr)
        return 1
    world = World()
    demo, lab = pathlib.Path(f"{world.lab.folder}.demo"), pathlib.Path(f"{world.lab.folder}.lock")
    another = "name another folder in VIRTSEER_LAB"
    try:
        with claimed(demo, f"another demonstration (process {{pid}}) is at work in {world.lab.folder}: end it with "
                     f"Ctrl-C there, or {another}"), contextlib.ExitStack() as working:
            working.enter_context(claimed(lab, f"a lab command is at work in {world.lab.folder}: wait for its end, or "
                                          f"{another}"))
            happened = demonstrate(world, wish, working)
            for file in (demo, lab):
                file.unlink(missing_ok=True)
    except Occupied as error:
        put(f"demo: {error}", sys.stderr)
        return 1
    return 0 if happened else 1


sys.exit(main())

"""The demonstration after the build: tells the story, writes what was measured, leaves all running or takes it away."""

import argparse
import json
import pathlib
import signal
import sys

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from telling import Failed, Teller
from world import ROOT, WEB, World, machine
from story import Story, busy, faults


def parse():
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    return parser.parse_args()


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


def leave_running(world, teller):
    teller.chapter("All of it stays up until Ctrl-C")
    for name, url in world.forward().items():
        teller.list([f"{name}: {url}api/v1/plan  {url}api/v1/operations  {url}metrics"])
    lab = f"sudo VIRTSEER_LAB={world.lab.folder} {ROOT}/tests/lab/lab"
    teller.list([f"{lab} virtseer {words}" for words in
                 ("A hosts", "A plan", f"B vm {WEB}", f"B forecast {WEB}", f"B rank {WEB}", "A operations",
                  f"B migrate {WEB} host-A --dry-run", f"B migrate {WEB} host-A --wait",
                  f"B load {WEB} --cpu 0.2 --for 10m")])
    signal.pause()


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    wish = parse()
    lacking = machine.faults()
    if lacking:
        print("demo: it cannot run here:\n  " + "\n  ".join(lacking), file=sys.stderr)
        return 1
    for sign in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, interrupted)
    world, teller = World(), Teller()
    facts = None
    try:
        with world.lab.locked():
            facts = perform(world, teller)
            if wish.json:
                wish.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        for line in facts["failures"]:
            teller.say(f"NOT AS PROMISED: {line}")
        if facts["ok"]:
            teller.say(f"it happened, in {facts['story_seconds']:.0f} s")
        if not wish.once:
            leave_running(world, teller)
    except KeyboardInterrupt:
        print()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        teller.say("taking everything away")
        for line in world.down():
            print(f"left behind: {line}", file=sys.stderr)
        pathlib.Path(f"{world.lab.folder}.lock").unlink(missing_ok=True)
    return 0 if facts and facts["ok"] else 1


sys.exit(main())

"""Builds and runs the tests by kind; called by tests/run."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

# pylint: disable=wrong-import-position
import kinds
from lablib import machine

OUTPUT = ROOT / "build" / "test-output"
KINDS = ("unit", "simulation", "contract", "golden", "lint", "fuzz", "lab", "end-to-end")


def fail(reason):
    print(f"tests/run: {reason}", file=sys.stderr)
    sys.exit(1)


def logged(name, command, timeout):
    """Runs a step of the build; on failure shows the end of its log and stops everything."""
    started = time.monotonic()
    log = OUTPUT / f"{name}.log"
    with open(log, "wb") as output:
        try:
            done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                  timeout=timeout, check=False)
            reason = f"exit code {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            reason = f"no end after {timeout} s"
    if reason:
        text = log.read_text(encoding="utf-8", errors="replace")
        print("\n".join(text.splitlines()[-40:]), file=sys.stderr)
        fail(f"{name}: {reason}, see {log}")
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def build(wanted):
    trees = []
    if set(wanted) - {"lint"}:
        trees.append("asan")
    if {"lab", "lint", "end-to-end"} & set(wanted):
        trees.append("release")
    for tree in trees:
        logged(f"configure-{tree}", ["cmake", "--preset", tree], 300)
        whole = tree == "asan" and set(wanted) & {"unit", "simulation", "contract", "golden", "fuzz"}
        targets = ["all"] if whole else ["virtseer"] if tree == "asan" else ["virtseer", "virtseer-agent"]
        logged(f"build-{tree}", ["ninja", "-C", f"build/{tree}", *targets], 3600)


def build_appliance():
    """The guest of the lab, made anew when the agent is newer."""
    target = ROOT / "build" / "appliance"
    agent = ROOT / "build" / "release" / "virtseer-agent"
    made = target / "initramfs.gz"
    if made.exists() and made.stat().st_mtime > agent.stat().st_mtime:
        return
    logged("appliance", [ROOT / "build/release/virtseer", "appliance", "build", "--directory", target], 600)


def parse():
    parser = argparse.ArgumentParser(prog="tests/run")
    parser.add_argument("--quick", action="store_true", help="leave the lab out")
    parser.add_argument("--soak", action="store_true", help="hundreds of crashes, minutes per fuzzer")
    parser.add_argument("kind", nargs="*", help=f"of {', '.join(KINDS)}; default: all")
    wish = parser.parse_args()
    for kind in wish.kind:
        if kind not in KINDS:
            parser.error(f"no kind {kind}: {', '.join(KINDS)}")
    if wish.quick and wish.soak:
        parser.error("--quick and --soak exclude each other")
    wanted = [kind for kind in KINDS if kind in wish.kind] if wish.kind else list(KINDS)
    if wish.quick:
        wanted = [kind for kind in wanted if kind != "lab"]
    return wish, wanted


def main():
    wish, wanted = parse()
    if "lab" in wanted:
        lacking = machine.faults()
        if lacking:
            fail("the lab cannot run here (tests/run --quick leaves it out):\n  " + "\n  ".join(lacking))
    for kind in wanted:
        shutil.rmtree(OUTPUT / kind, ignore_errors=True)
        (OUTPUT / kind).mkdir(parents=True)
    build(wanted)
    if "lab" in wanted:
        build_appliance()
    environment = dict(os.environ, LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1",
                       ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1",
                       UBSAN_OPTIONS="print_stacktrace=1")
    if wish.soak:
        environment["VIRTSEER_SOAK"] = "1"
    counts = {}
    for kind in wanted:
        started = time.monotonic()
        counts[kind] = kinds.run(kind, ROOT, OUTPUT / kind, environment, wish.soak)
        print(f"ran {kind}: {time.monotonic() - started:.0f} s", flush=True)

    total = kinds.Count()
    empty = []
    print()
    for kind in wanted:
        count = counts[kind]
        print(f"{kind}: {count}")
        for name in count.failures:
            print(f"  failed: {name}", file=sys.stderr)
        if not count.ran():
            empty.append(kind)
        total.add(count)
    sys.stderr.flush()
    good = not total.failed and not empty and (wish.quick or not total.skipped)
    if empty:
        print(f"no test ran in: {', '.join(empty)}")
    if total.skipped and not wish.quick:
        print("a skipped test fails the full run")
    print(total, flush=True)
    sys.exit(0 if good else 1)


main()

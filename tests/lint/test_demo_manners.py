"""How the demonstration begins and ends, and what it takes for a forecast; with a world that is made up."""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios

import pytest

from tree import ROOT, text

DEMOLIB = ROOT / "packaging/demolib"

# The real main.py over a world without hosts; its story says "begun", and then waits, talks or ends.
STAND_IN = f"""\
import runpy, signal, sys, types
sys.dont_write_bytecode = True
sys.path.insert(0, {str(DEMOLIB)!r})
import world
import story
folder, does = sys.argv[1], sys.argv[2]
sys.argv[1:] = sys.argv[3:]

class World:
    lab = types.SimpleNamespace(folder=folder)
    def forward(self):
        return {{}}
    def down(self):
        if does == "twice":
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
        with open(folder + ".taken", "a", encoding="utf-8") as file:
            file.write("down\\n")
        return []

class Story:
    def __init__(self, world, teller):
        self.facts, self.teller = {{}}, teller
    def tell(self):
        self.teller.say("begun")
        while does in ("waits", "twice"):
            signal.pause()
        while does == "talks":
            self.teller.say("more")

world.World, story.Story, story.faults = World, Story, lambda facts: []
world.machine.faults = list
runpy.run_path({str(DEMOLIB / "main.py")!r})
"""


class Demo:
    """One demonstration in `folder`, on a terminal of its own or with its output in a pipe."""

    def __init__(self, folder, does, *words, terminal=False):
        self.folder = folder
        self.far, near = pty.openpty() if terminal else os.pipe()
        command = [sys.executable, "-c", STAND_IN, str(folder), does, *words]
        self.process = subprocess.Popen(command, stdin=near if terminal else subprocess.DEVNULL, stdout=near,
                                        stderr=near, start_new_session=True, preexec_fn=lambda: self._begin(terminal))
        os.close(near)
        self.said = ""

    @staticmethod
    def _begin(terminal):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # who runs the tests may ignore it
        if terminal:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read_until(self, words):
        while words not in self.said:
            assert select.select([self.far], [], [], 30)[0], self.said
            try:
                part = os.read(self.far, 4096)
            except OSError:
                part = b""
            assert part, f"it ended: {self.said}"
            self.said += part.decode()

    def hang_up(self):
        os.close(self.far)
        self.far = None

    def end(self):
        """Its exit code; all that it said is in `said`."""
        if self.far is not None:
            with contextlib.suppress(AssertionError):
                self.read_until("\0")
            self.hang_up()
        return self.process.wait(30)

    def taken(self):
        """How often the world was taken away to the end."""
        file = self.folder.with_name(self.folder.name + ".taken")
        return len(text(file).splitlines()) if file.exists() else 0


@pytest.fixture
def begin(tmp_path):
    started = []

    def start(does, *words, **options):
        demo = Demo(tmp_path / "lab", does, *words, **options)
        started.append(demo)
        return demo

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.process.kill()
            demo.process.wait()


@pytest.mark.parametrize("does, words", [("waits", "begun"), ("ends", "stays up"), ("talks", "more")])
def test_all_is_taken_away_when_the_terminal_goes(begin, does, words):
    demo = begin(does, terminal=True)
    demo.read_until(words)
    demo.hang_up()
    assert demo.end() == (0 if does == "ends" else 1)
    assert demo.taken() == 1


@pytest.mark.parametrize("does, words", [("talks", "more"), ("ends", "VIRTSEER_LAB")])
def test_all_is_taken_away_when_nobody_reads_any_more(begin, does, words):
    demo = begin(does)
    demo.read_until(words)
    demo.hang_up()
    demo.end()
    assert demo.taken() == 1


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_does_not_end_it_before_all_is_taken_away(begin, sign):
    demo = begin("twice")
    demo.read_until("begun")
    demo.process.send_signal(sign)
    assert demo.end() == 1
    assert demo.taken() == 1 and "Traceback" not in demo.said


def test_a_second_demonstration_is_refused_and_takes_nothing_away(begin):
    first = begin("waits")
    first.read_until("begun")
    second = begin("ends")
    assert second.end() == 1
    assert f"process {first.process.pid}" in second.said and "VIRTSEER_LAB" in second.said
    assert first.taken() == 0
    first.process.send_signal(signal.SIGINT)
    assert first.end() == 1 and first.taken() == 1


def test_it_is_refused_too_while_the_first_one_only_stays_up(begin):
    first = begin("ends")
    first.read_until("VIRTSEER_LAB")
    second = begin("ends", "--once")
    assert second.end() == 1 and "another demonstration" in second.said
    assert first.taken() == 0
    first.process.send_signal(signal.SIGINT)
    assert first.end() == 0 and first.taken() == 1
    third = begin("ends", "--once")
    assert third.end() == 0, third.said


def test_a_lab_command_at_work_there_is_not_disturbed(begin, tmp_path):
    with open(tmp_path / "lab.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        demo = begin("ends", "--once")
        assert demo.end() == 1 and "a lab command is at work" in demo.said
        assert demo.taken() == 0


def test_nothing_of_its_locks_is_left(begin, tmp_path):
    demo = begin("ends", "--once")
    assert demo.end() == 0, demo.said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab.taken"]


def test_a_file_that_cannot_be_written_in_the_end_is_told_and_all_is_taken_away(begin):
    demo = begin("ends", "--once", "--json", "/dev/full")
    assert demo.end() == 1
    assert "NOT AS PROMISED: what was measured is not kept" in demo.said and "Traceback" not in demo.said
    assert demo.taken() == 1


def test_a_file_that_cannot_be_written_is_told_before_anything_is_built(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("the demonstration needs root")
    done = subprocess.run([ROOT / "packaging/demo", "--json", tmp_path / "no/such/file.json"], stdout=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stdout == f"demo: --json: {tmp_path}/no/such/file.json: No such file or directory\n"


# --- what counts as foreseen ---

JUDGE = f"""\
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, {str(DEMOLIB)!r})
import world
from story import Story, faults
from telling import Teller, shortly
"""


def judge(program):
    """What a program says that sees the story's own functions."""
    done = subprocess.run([sys.executable, "-c", JUDGE + program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


ACT = """
def plan(name, made, to="host-B"):
    return ({"id": name, "made": f"2026-01-01T00:00:{made:06.3f}Z", "verdict": "web-1 moves"},
            {"vm_name": "web-1", "to_name": to, "from_before": {"until_ms": 20000}})

class World:
    source = None
    def origin(self, daemon, operation):
        return origin

from labkit import seconds
begin = seconds("2026-01-01T00:00:10.000Z")
story = Story(World(), Teller())
story.facts["auto"] = {}
operation = {"vm_name": "web-1", "to_name": "host-B", "created": "2026-01-01T00:00:40.000Z"}
story._note_forecast(operation, named, begin)
print(json.dumps(story.facts["auto"]))
"""


@pytest.mark.parametrize("origin, named, forecast", [
    ("plan('origin', 39)", "[plan('seen', 30)]", (29, "origin")),
    ("None", "[plan('seen', 30), plan('later', 35)]", (20, "seen")),
    ("plan('refreshed', 41)", "[plan('other', 25, 'host-C'), plan('seen', 30)]", (20, "seen")),
    ("plan('old', 5)", "[]", (None, None)),
    ("None", "[]", (None, None)),
])
def test_a_move_was_foreseen_by_a_plan_or_that_is_not_known(origin, named, forecast):
    program = ACT.replace("from labkit", f"origin, named = {origin}, {named}\nfrom labkit")
    said = judge(program)
    facts = json.loads(said.splitlines()[-1])
    assert (facts["forecast_at_s"], facts["forecast_plan"]) == forecast
    assert ("FORESEEN" in said) == (forecast[1] is not None)


def test_a_move_that_no_plan_had_named_is_not_as_promised():
    facts = {"observe": {"contended_at_s": 100, "forecast_at_s": 70},
             "auto": {"forecast_at_s": None, "move_started_at_s": 80, "move_done_at_s": 85}}
    told = judge(f"print('\\n'.join(faults(json.loads({json.dumps(facts)!r}))))")
    assert "in auto no plan is known that named the move before it began" in told


def test_a_host_that_is_short_already_is_not_told_to_run_short_in_no_time():
    assert judge("print(shortly(0), shortly(5100), shortly(None), sep='\\n')").splitlines() == [
        "is short already", "runs short in 5.1 s", "runs short, nobody can say when"]

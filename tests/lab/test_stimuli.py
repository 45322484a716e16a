"""Each source of the agent is moved by something whose effect is known, and what the product shows is compared."""

import pathlib
import subprocess
import sys
import time
from collections import namedtuple

import pytest
import stimuli
from labkit import wait_for
from lablib import machine
from lablib.inside import Inside
from readings import Seen, Story, shown

PEER = pathlib.Path(__file__).resolve().parent / "net_acts.py"
IDLE_ECHOES = 8
# How long a reading may take to be what is expected: some sources look at some things every eighth echo only.
PATIENCE = 25

Result = namedtuple("Result", "source stimulus reading expected read good")


class Stage:
    """The guest and its host, and what acts do there."""

    def __init__(self, lab):
        self.host, self.daemon, self.name = lab.host("A"), lab.daemon("A"), stimuli.NAME
        self.started = time.time()
        lab.guests.start(self.host, self.name, memory=stimuli.MEMORY_MIB, disk_size=stimuli.DISK_MIB,
                         role="production", stimuli=True, arguments=f"virtseer.ip={stimuli.GUEST}/24 ipv6.disable=1")
        self.inside = Inside(self.host, self.name)
        self.peers = {}
        self.idle = {}
        self.results = []

    def prepare(self):
        self.shell("mount -t cgroup2 none /sys/fs/cgroup && echo +memory > /sys/fs/cgroup/cgroup.subtree_control")
        assert self.shell("cat /sys/block/vdb/serial") == "slow"
        assert self.shell("df -P /data | awk 'END {print $1}'") == "/dev/vda"
        self.tap, *_, self.mac = self.host.virsh("domiflist", self.name).stdout.split()[-5:]
        self.fresh()
        before = Seen(self.daemon, self.name)
        self.daemon.wait_echo(self.name, more=IDLE_ECHOES)
        after = Seen(self.daemon, self.name)
        for one in after.body["values"]:
            if one["kind"] != "counter":
                continue
            place = one["metric"], tuple(sorted(one["labels"].items()))
            risen = one["value"] - before.values(one["metric"], one["labels"]).get(place[1], one["value"])
            self.idle[place] = risen / (after.time - before.time)

    def fresh(self):
        """Waits for an echo that was read after this."""
        self.daemon.wait_echo(self.name, more=2)

    # --- acts ---

    def act(self, act):
        if callable(act):
            act(self)
        else:
            self.shell(act)

    def shell(self, command):
        """What a command in the guest says, which must succeed."""
        code, said = self.inside.run(command)
        assert code == 0, f"in the guest: {command}: {code}, {said}"
        return said

    def act_of_host(self, verb, *words):
        self.host.exec(sys.executable, PEER, verb, *words)

    def begin_of_host(self, verb, *words, ready=True):
        command = self.host.command(sys.executable, PEER, verb, *words)
        self.peers[verb] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            preexec_fn=self.host.group.join, env=machine.environment())
        assert not ready or self.peers[verb].stdout.readline() == b"ready\n"

    def end_of_host(self, verb):
        with self.peers.pop(verb) as peer:
            peer.stdin.close()
            assert peer.wait(60) == 0

    def link(self, state):
        self.host.exec("ip", "link", "set", self.tap, state)

    def limit_disk(self, bytes_per_second):
        self.host.virsh("blkdeviotune", self.name, "vda", "--total-bytes-sec", bytes_per_second)

    def hold_daemon(self, seconds):
        with self.host.held(self.host.daemon):
            self.shell(f"sleep {seconds}")

    def end(self):
        for peer in self.peers.values():
            peer.kill()
            peer.wait()
        self.inside.close()
        self.host.virsh("destroy", self.name, check=False)
        self.host.virsh("undefine", self.name, check=False)


def play(stage, scene):
    """Does what a scene holds, and gives the results of its rows."""
    begun, held, results = [], [], []
    # Just after an echo, so that no round reads what is only half begun.
    stage.daemon.wait_echo(stage.name)
    story = Story(stage)
    for stimulus in scene:
        begun.append(time.monotonic())
        for act in stimulus.begin:
            stage.act(act)
    if hold := max(stimulus.hold for stimulus in scene):
        stage.shell(f"sleep {hold}")
    if any(stimulus.during for stimulus in scene):
        stage.fresh()
        results += judge(story, [(stimulus, row, None) for stimulus in scene for row in stimulus.during])
        stage.daemon.wait_echo(stage.name)
    for stimulus, begin in reversed(list(zip(scene, begun))):
        for act in stimulus.end:
            stage.act(act)
        held.insert(0, time.monotonic() - begin)
    stage.fresh()
    return results + judge(story, [(stimulus, row, long) for stimulus, long in zip(scene, held)
                                   for row in stimulus.after])


def judge(story, rows):
    """Reads rows, each with how long its stimulus was held, until all is as expected or nothing more can be hoped."""
    results = []

    def all_good():
        story.look()
        results.clear()
        for stimulus, row, held in rows:
            story.held = held
            expected = row.expected(story) if callable(row.expected) else row.expected
            value, unit = row.reading.read(story), row.reading.unit
            results.append(Result(row.source, stimulus.what, row.reading.text(), expected.text(unit),
                                  shown(value, unit), expected.holds(value)))
        return all(result.good for result in results)

    try:
        wait_for(all_good, PATIENCE, "readings", every=0.5)
    except AssertionError as error:
        assert len(results) == len(rows), error
    return results


def told(results):
    """A table for a person."""
    lines, last = [], None
    for result in results:
        if result.stimulus != last:
            lines.append(f"{result.stimulus}")
        last = result.stimulus
        lines.append(f"  {'' if result.good else 'WRONG '}{result.source:<10} {result.reading}: "
                     f"expected {result.expected}, read {result.read}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def stage(lab, tmp_path_factory):
    made = Stage(lab)
    try:
        made.prepare()
        yield made
    finally:
        made.end()
        file = tmp_path_factory.mktemp("stimuli") / "table.txt"
        file.write_text(told(made.results) + "\n", encoding="utf-8")


@pytest.mark.parametrize("scene", stimuli.SCENES)
def test_what_was_done_is_told(stage, scene, capsys):
    results = play(stage, stimuli.SCENES[scene])
    stage.results += results
    with capsys.disabled():
        print(f"\n{told(results)}")
    wrong = [result for result in results if not result.good]
    assert not wrong, told(wrong)


def test_no_source_is_left_out(stage, capsys):
    body = Seen(stage.daemon, stage.name).body
    states = body["sources"]
    assert states
    rows = [row for scene in stimuli.SCENES.values() for stimulus in scene
            for row in (*stimulus.during, *stimulus.after)]
    moved = {getattr(row.reading, "metric", None) for row in rows}
    with capsys.disabled():
        print("\nmetrics that no row moves:", ", ".join(sorted({one["metric"] for one in body["values"]} - moved)))
    assert set(states) <= {row.source for row in rows} | set(stimuli.ELSEWHERE), "sources without a stimulus"
    off = {source: state for source, state in states.items() if state != "on" and not state.startswith("in part")}
    assert not off

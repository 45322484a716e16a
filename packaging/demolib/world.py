"""The two hosts, their guests and what their daemons say."""

import os
import pathlib
import platform
import socket
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

# pylint: disable=wrong-import-position
from labkit import Daemon, Echoes, moment
from lablib import files, machine
from lablib.host import REST_PORT
from lablib.lab import Lab
from telling import Failed, wait_for

STEADY, WEB = "steady-1", "web-1"
STEADY_CORES = 0.55
FULL_CORES = 0.9
FIRST_PORT = 8701

# Rounds are a second here: a host is contended after six of them, so that chance does not decide when, and what is
# further away than a minute is not acted upon, since a ramp of half a minute says little about that. The neighbour
# stays where it is, as its policy says, so that both ramps are about the guest whose load rises.
SETTINGS = """\
[plan]
contended_rounds = 6
act_within = "1m"
hold_rounds = 4

[[policy.rules]]
vm = "steady-*"
excluded = true
"""


class World:
    def __init__(self):
        os.environ.setdefault("VIRTSEER_LAB", "/tmp/virtseer-demo")
        self.lab = Lab()
        self.a, self.b = self.lab.host("A"), self.lab.host("B")

    def daemon(self, host):
        return Daemon(host.socket, self.lab.binary)

    @property
    def source(self):
        return self.daemon(self.a)

    @property
    def target(self):
        return self.daemon(self.b)

    # --- up and down ---

    def up(self):
        self.lab.down()
        self.lab.up(["A", "B"], daemons=False)
        for host in (self.a, self.b):
            self._forget_third(host)
            host.configure("demo", SETTINGS)
            host.start_daemon()

    def _forget_third(self, host):
        """The lab names all its hosts to each other, and the story has two."""
        third = self.lab.host("C")
        file = host.folder / "virtseer-etc/virtseer.toml"
        text = file.read_text(encoding="utf-8")
        block = files.PEER.format(name=third.name, address=third.address, port=REST_PORT)
        file.write_text(text.replace(block, ""), encoding="utf-8")

    def start_guests(self):
        for name in (STEADY, WEB):
            self.lab.guests.start(self.a, name, memory=128)
        for name in (STEADY, WEB):
            wait_for(lambda name=name: self.speaks(self.source, name), 120, f"{name} is heard from inside")

    def down(self):
        return self.lab.down()

    def forward(self):
        """{host name: URL on loopback}."""
        urls, port = {}, FIRST_PORT
        for host in (self.a, self.b):
            while not _free(port):
                port += 1
            urls[host.name] = self.lab.forward(host.letter, port)
            port += 1
        return urls

    def conditions(self):
        """Where this was measured."""
        memory = pathlib.Path("/proc/meminfo").read_text(encoding="utf-8").split("\n", 1)[0].split()[1]
        version = subprocess.run([self.lab.binary, "--version"], stdout=subprocess.PIPE, text=True, check=False).stdout
        commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, check=False).stdout
        facts = self.source.get("hosts")["items"][0]
        return {"virtseer": version.strip(), "commit": commit.strip() or None, "kernel": platform.release(),
                "machine_cpus": os.cpu_count(), "machine_memory_bytes": int(memory) * 1024,
                "load_average": os.getloadavg()[0], "accelerator": self.lab.guests.accelerator(),
                "host_cpus": facts["capacity"]["cpus"], "steady_cores": STEADY_CORES, "full_cores": FULL_CORES,
                "settings": tomllib.loads(SETTINGS)["plan"]}

    def others(self):
        """CPU seconds that everything but the two hosts has used on this machine so far."""
        ticks = [int(word) for word in pathlib.Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
        used = sum(ticks) - ticks[3] - ticks[4] - ticks[7]  # idle, iowait, steal
        return used / os.sysconf("SC_CLK_TCK") - sum(self._used(daemon) for daemon in (self.source, self.target))

    @staticmethod
    def _used(daemon):
        host = daemon.get("hosts")["items"][0]["uuid"]
        return sum(item["value"] for item in daemon.get(f"hosts/{host}/latest")["items"]
                   if item["metric"] == "host_cpu_seconds_total")

    # --- what is said ---

    @staticmethod
    def speaks(daemon, name):
        try:
            return daemon.agent(name)["state"] == "connected"
        except (AssertionError, OSError, KeyError):
            return False

    def renew_source(self, toml):
        """Starts host-A's daemon anew, with more configuration and an empty store; what it had is kept beside that."""
        self.a.stop_daemon()
        state = self.a.folder / "virtseer-lib"
        before = [entry for entry in state.iterdir() if entry.name != "before"]
        (state / "before").mkdir()
        for entry in before:
            entry.rename(state / "before" / entry.name)
        self.a.configure("mode", toml)
        self.a.start_daemon()

    def order(self, daemon, name, cores, ramp=None):
        """Lets the guest work; None: no more."""
        words = ["--stop"] if cores is None else ["--cpu", str(cores), "--for", "1h"]
        if ramp:
            words += ["--ramp", f"{ramp}s"]
        done = daemon.cli("load", name, *words)
        if done.returncode != 0:
            raise Failed(f"load of {name}: {done.stderr.strip()}")

    @staticmethod
    def plan(daemon):
        status, _, _ = daemon.request("GET", "/api/v1/plan")
        return daemon.get("plan") if status == 200 else None

    @staticmethod
    def outlook(plan, name):
        return next((host for host in plan["hosts"] if host["name"] == name), None) if plan else None

    @staticmethod
    def step(plan, name, states=("due",)):
        """The plan's move of this guest, by default only once it would be taken now."""
        for step in plan["steps"] if plan else []:
            if step["vm_name"] == name and step["state"] in states and step["cause"] == "contention":
                return step
        return None

    @staticmethod
    def origin(daemon, operation):
        """(plan, step) that the operation came from, by the step's id; None if the daemon has it no more."""
        told = daemon.get(f"explanations/{operation['id']}")
        return (told["plan"], told["step"]) if told["plan"] and told["step"] else None

    @staticmethod
    def bands(daemon, name):
        """The guest's CPU forecasts by horizon in seconds."""
        items = daemon.get(f"vms/{name}/forecast")["items"]
        return {item["horizon_ms"] // 1000: item for item in items if item["resource"] == "cpu"}

    @staticmethod
    def event(daemon, kind, since):
        """The first event of this kind since then (seconds, wall clock), None if there was none."""
        items = daemon.get("events", kind=kind, **{"from": moment(since)})["items"]
        return min(items, key=lambda item: item["time"]) if items else None

    @staticmethod
    def moves(daemon):
        return [one for one in daemon.get("operations")["items"] if one["kind"] == "migration"]

    def work(self, places, length):
        """{guest: work units per second that it gets done over the next `length` seconds}; `places`: its daemon."""
        start = time.time()

        def stored(daemon, name):
            items = daemon.get(f"vms/{name}/latest")["items"]
            return any(item["metric"] == "guest_work_units_total" and item["time"] > moment(start + length)
                       for item in items)

        for name, daemon in places.items():
            wait_for(lambda name=name, daemon=daemon: stored(daemon, name), length + 30, f"work of {name}")
        return {name: daemon.rate(name, "guest_work_units_total", start, start + length)
                for name, daemon in places.items()}

    def ticks(self, name):
        """(echoes, whether the guest's own counter rose from each to the next, how many echoes are missing)."""
        rows = {}
        uuid = self.target.vm(name)["uuid"]
        for daemon in (self.source, self.target):
            rows.update(Echoes(daemon, uuid).rows)
        if not rows:
            raise Failed(f"no echo of {name} is stored")
        told = [row for _, row in sorted(rows.items()) if row[1] is not None]
        # A tick is a tenth of a second; the echo that greets a new reader may come sooner.
        rising = all(b[1] > a[1] or b[1] == a[1] and b[0] - a[0] < 0.1 for a, b in zip(told, told[1:]))
        numbers = sorted(number for _, number in rows)
        missing = len(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
        one_life = len({epoch for epoch, _ in rows}) == 1
        return len(rows), rising and one_life, missing


def _free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


__all__ = ["World", "machine", "STEADY", "WEB", "STEADY_CORES", "FULL_CORES", "ROOT"]

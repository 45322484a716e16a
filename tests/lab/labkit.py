"""What the lab's tests use: REST over the UNIX socket, the CLI, waiting for a condition, echoes over hosts."""

import calendar
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOAK = bool(os.environ.get("VIRTSEER_SOAK"))
BOOT = 120
SETTLE = 60


def wait_for(condition, timeout, what, every=0.1):
    """Polls until `condition()` gives something true and returns it. An exception counts as 'not yet'."""
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (AssertionError, KeyError, IndexError, TypeError, OSError, ValueError, http.client.HTTPException) as error:
            last = repr(error)
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout} s, last: {last}")
        time.sleep(every)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Daemon:
    """A virtseer daemon behind its REST socket."""

    def __init__(self, path, binary):
        self.path = path
        self.binary = binary

    def request(self, method, target, body=None, timeout=30):
        """(status, headers, body as bytes)."""
        connection = _UnixConnection(self.path, timeout)
        headers = {}
        if body is not None:
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, response.headers, data

    def get(self, target, **query):
        """The JSON of /api/v1/<target>; AssertionError if the status is not 200."""
        text = "?" + urllib.parse.urlencode(query, doseq=True) if query else ""
        status, _, body = self.request("GET", f"/api/v1/{target}{text}")
        assert status == 200, f"{target}: {status} {body[:500]!r}"
        return json.loads(body)

    def post(self, target, body=None, timeout=30):
        """(status, JSON or None) of a POST to /api/v1/<target>."""
        status, _, answer = self.request("POST", f"/api/v1/{target}", {} if body is None else body, timeout)
        return status, json.loads(answer) if answer else None

    def cli(self, *arguments, timeout=60):
        return subprocess.run([self.binary, "--socket", str(self.path), *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, check=False)

    def health(self):
        return self.get("health")

    def vm(self, name):
        return self.get(f"vms/{name}")

    def series(self, entity, metric, **query):
        """The items of a window of one metric, by default all of the last hour."""
        return self.get(f"vms/{entity}/series", metric=metric, **query)["items"]

    def rate(self, entity, metric, start, end, keep=lambda labels: True):
        """Sum over the metric's series of their mean rise per second between two moments (seconds, wall clock)."""
        items = self.series(entity, metric, **{"from": moment(start), "to": moment(end), "aggregation": "rate"})
        values = [item["points"][0]["value"] for item in items if keep(item["labels"]) and item["points"]]
        assert values, f"{metric}: nothing between {moment(start)} and {moment(end)}"
        return sum(values)

    def mean(self, entity, metric, start, end):
        items = self.series(entity, metric, **{"from": moment(start), "to": moment(end), "aggregation": "mean"})
        return sum(item["points"][0]["value"] for item in items)

    def metrics(self):
        """/metrics as {(name, frozenset of label pairs): value}."""
        status, _, body = self.request("GET", "/metrics")
        assert status == 200
        found = {}
        for line in body.decode().splitlines():
            match = re.fullmatch(r'([a-z_:0-9A-Z]+)(?:\{(.*)\})? (\S+)', line)
            if match and not line.startswith("#"):
                labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(2) or "")
                found[match.group(1), frozenset(labels)] = float(match.group(3))
        return found

    def agent(self, name):
        return self.vm(name)["agent"]

    def wait_echo(self, name, more=1, timeout=BOOT):
        """Waits until `more` further echoes of the VM have arrived."""
        def sequence():
            # Connected comes before the first echo; the run that the agent is in is told with that one.
            agent = self.agent(name)
            assert agent["state"] == "connected" and agent["epoch"], agent
            return agent["epoch"], agent["sequence"]
        first = wait_for(sequence, timeout, f"an echo of {name}")
        wait_for(lambda: (now := sequence())[0] != first[0] or now[1] >= first[1] + more, timeout,
                 f"{more} more echoes of {name}")


def moment(seconds):
    """RFC 3339 in UTC with milliseconds."""
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z"


def seconds(text):
    """The wall clock's seconds of an RFC 3339 time in UTC."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return float(calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))) + float(f"0.{fraction or 0}")


class Echoes:
    """The guest's own columns as one daemon stored them, row by row."""

    def __init__(self, daemon, name, since="-1h"):
        self.rows = {}
        self.doubles = 0
        columns = {}
        for metric in ("echo_epoch", "echo_sequence", "guest_ticks_total"):
            items = daemon.series(name, metric, source="guest", **{"from": since})
            columns[metric] = {p["time"]: p["value"] for item in items for p in item["points"]}
        for when in sorted(columns["echo_sequence"]):
            key = (columns["echo_epoch"].get(when), int(columns["echo_sequence"][when]))
            self.doubles += key in self.rows
            self.rows[key] = (seconds(when), columns["guest_ticks_total"].get(when))


def check_echoes(*daemons, name, since="-1h", resent=0):
    """No gap over all daemons together, no double in any; ticks rise with the numbers. Returns the numbers' count.

    `resent`: how many echoes two daemons may both have. The last ones that a source stored are sent again to the
    target if the move cuts off their acknowledgement; epoch and number tell that they are the same.
    """
    parts = [Echoes(daemon, name, since) for daemon in daemons]
    assert [part.doubles for part in parts] == [0] * len(parts), "a double within one daemon"
    rows = {}
    for part in parts:
        rows.update(part.rows)
    epochs = {epoch for epoch, _ in rows}
    assert len(epochs) == 1, f"the agent ran {len(epochs)} times"
    numbers = sorted(number for _, number in rows)
    missing = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
    assert not missing, f"missing echoes {missing[:20]} of {numbers[0]} to {numbers[-1]}"
    shared = sum(len(part.rows) for part in parts) - len(rows)
    assert shared <= resent, f"{shared} echoes are with more than one daemon"
    ticks = [(when, tick) for _, (when, tick) in sorted(rows.items()) if tick is not None]
    assert len(ticks) > len(rows) / 2, "hardly any echo has a tick"
    for (when, tick), (later, next_tick) in zip(ticks, ticks[1:]):
        # A tick is a tenth of a second; the echo that greets a new reader may come sooner.
        assert next_tick > tick or next_tick == tick and later - when < 0.3, f"ticks do not rise at {moment(later)}"
    return len(numbers)

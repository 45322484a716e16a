"""What the product shows of a guest while something is done to it, and what may be expected of a reading."""

import json
import time
from collections import namedtuple

from labkit import moment, seconds

MIB = 1 << 20


# --- what is expected ---


class Range(namedtuple("Range", "low high")):
    """Both ends belong to it."""

    def holds(self, value):
        return value is not None and self.low <= value <= self.high

    def text(self, unit):
        if self.low == self.high:
            return shown(self.low, unit)
        if self.high == float("inf"):
            return f"at least {shown(self.low, unit)}"
        return f"{shown(self.low, unit)} to {shown(self.high, unit)}"


def exactly(value):
    return Range(value, value)


def at_least(value):
    return Range(value, float("inf"))


def between(low, high):
    return Range(low, high)


def shown(value, unit):
    """A number for a person. unit: the name of what it is of, which ends with its unit."""
    if value is None:
        return "nothing"
    if "bytes" in unit:
        return f"{value / MIB:.2f} MiB" if abs(value) >= MIB / 8 or value == 0 else f"{value:.0f} B"
    if "seconds" in unit and "per second" not in unit:
        return f"{value:.2f} s"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


# --- what is read ---


class Seen:
    """Everything that the guest told last, as `virtseer vm NAME --echo --output json` says it."""

    def __init__(self, daemon, name):
        done = daemon.cli("vm", name, "--echo", "--output", "json")
        assert done.returncode == 0, done.stderr
        self.body = json.loads(done.stdout)
        self.time = seconds(self.body["time"])

    def values(self, metric, labels):
        """{labels: value} of the series of the metric that have these labels."""
        return {tuple(sorted(one["labels"].items())): one["value"] for one in self.body["values"]
                if one["metric"] == metric and labels.items() <= one["labels"].items() and one["value"] is not None}

    def value(self, metric, labels):
        """Their sum, None where there is no such series."""
        found = self.values(metric, labels)
        return sum(found.values()) if found else None


class Story:
    """What was seen before, while and after something is done."""

    def __init__(self, stage):
        self.stage = stage
        self.start = time.time()
        self.before = self.now = Seen(stage.daemon, stage.name)
        self.held = None  # seconds that the stimulus which is judged lasted

    def look(self):
        self.now = Seen(self.stage.daemon, self.stage.name)


class Metric:
    """A reading of the series of one metric that have these labels, summed where they are several."""

    how = ""

    def __init__(self, metric, **labels):
        self.metric = metric
        self.labels = labels

    def text(self):
        labels = ", ".join(f"{key}={value}" for key, value in self.labels.items())
        return self.metric + (f"{{{labels}}}" if labels else "") + self.how

    @property
    def unit(self):
        return self.metric + self.how


class Value(Metric):
    def read(self, story):
        return story.now.value(self.metric, self.labels)


class Change(Metric):
    """Of a gauge: how far it is from where it was before."""

    how = ", change"

    def read(self, story):
        now, before = (seen.value(self.metric, self.labels) for seen in (story.now, story.before))
        return None if now is None or before is None else now - before


class Rise(Metric):
    """Of a counter: by how much it rose beyond what it would have in an idle guest."""

    how = ", rise"

    def read(self, story):
        now, before = (seen.values(self.metric, self.labels) for seen in (story.now, story.before))
        if not now:
            return None
        elapsed = story.now.time - story.before.time
        return sum(value - before.get(labels, 0) - elapsed * story.stage.idle.get((self.metric, labels), 0)
                   for labels, value in now.items())


class Share(Rise):
    """The rise per second that the stimulus lasted."""

    how = ", per second"

    def read(self, story):
        rise = super().read(story)
        return None if rise is None else rise / story.held


class Peak(Metric):
    """The largest value that a series had since the begin."""

    how = ", most"

    def read(self, story):
        items = story.stage.daemon.series(story.stage.name, self.metric, aggregation="max", source="guest",
                                          **{"from": moment(story.start), "to": moment(time.time())})
        found = [item["points"][0]["value"] for item in items
                 if item["points"] and self.labels.items() <= item["labels"].items()]
        return max(found, default=None)


class Happened:
    """How often something happened since the begin, as the events tell it."""

    unit = "count"

    def __init__(self, kind, **fields):
        self.kind = kind
        self.fields = fields

    def text(self):
        fields = ", ".join(f"{key}={value}" for key, value in self.fields.items())
        return f"event {self.kind}" + (f" {{{fields}}}" if fields else "")

    def read(self, story):
        events = story.stage.daemon.get(f"vms/{story.stage.name}/events", kind=self.kind, limit=1000,
                                        **{"from": moment(story.start)})["items"]
        return sum(int(event["fields"]["count"]) for event in events
                   if event["kind"] == self.kind and self.fields.items() <= event["fields"].items())


class Cell:
    """A number of a table, as `virtseer top` shows it, in the row that has these texts or numbers."""

    def __init__(self, table, column, **row):
        self.table, self.column, self.row = table, column, row

    @property
    def unit(self):
        return self.column.replace("_per_second", " per second")

    def text(self):
        row = ", ".join(f"{key}={value}" for key, value in self.row.items())
        return f"table {self.table} {{{row}}}: {self.column}"

    def rows(self, story):
        done = story.stage.daemon.cli("top", story.stage.name, "--table", self.table, "--output", "json")
        if done.returncode != 0:
            return []  # the guest has not told it yet
        table = json.loads(done.stdout)
        return [dict(zip(table["columns"], cells)) for cells in table["rows"]]

    def read(self, story):
        found = [row for row in self.rows(story) if self.row.items() <= row.items()]
        return found[0][self.column] if found else None


class Place(Cell):
    """Which row of its table it is, counted from 1."""

    def __init__(self, table, **row):
        super().__init__(table, "place", **row)

    def read(self, story):
        return next((i for i, row in enumerate(self.rows(story), 1) if self.row.items() <= row.items()), None)

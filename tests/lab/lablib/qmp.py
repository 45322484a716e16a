"""Asks every emulator of one guest, on all hosts and all the time, whether it runs the guest."""

import collections
import contextlib
import json
import socket
import threading
import time

PERIOD = 0.025
DEADLINE = 5

# One answer: between `sent` and `got` (monotonic seconds) the emulator was in `status`. Answers of one `link` are of
# one process.
Answer = collections.namedtuple("Answer", "sent got host link status")


class Monitor:
    """One connection to the second monitor of a guest (`monitor=True` in its definition)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE)
        try:
            self.socket.connect(str(path))
            self.lines = self.socket.makefile("r", encoding="utf-8")
            self.lines.readline()
            self.ask("qmp_capabilities")
        except OSError:
            self.socket.close()
            raise

    def ask(self, command):
        """The answer's value; OSError if there is none."""
        self.socket.sendall(json.dumps({"execute": command}).encode() + b"\n")
        while True:
            line = self.lines.readline()
            if not line:
                raise ConnectionError("the emulator is gone")
            said = json.loads(line)
            if "return" in said:
                return said["return"]
            if "error" in said:
                raise OSError(said["error"].get("desc", "refused"))

    def close(self):
        self.socket.close()


class Watch:
    """Polls from `with` to its end; then `running_twice` and `longest_pause` judge what was seen."""

    def __init__(self, hosts, name):
        self.places = {host.letter: host.folder / "lib/qemu" / f"qmp-{name}.sock" for host in hosts}
        self.answers = collections.defaultdict(list)
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._poll, args=(letter,)) for letter in self.places]
        self.links = 0
        self.lock = threading.Lock()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _poll(self, letter):
        while not self.over.is_set():
            with contextlib.suppress(OSError, ValueError):
                self._follow(letter, Monitor(self.places[letter]))
            self.over.wait(PERIOD)

    def _follow(self, letter, monitor):
        with self.lock:
            self.links += 1
            link = self.links
        with contextlib.closing(monitor):
            while not self.over.is_set():
                sent = time.monotonic()
                status = monitor.ask("query-status")["status"]
                self.answers[letter].append(Answer(sent, time.monotonic(), letter, link, status))
                self.over.wait(PERIOD)

    def status(self, letter):
        """What the emulator on that host said last, None if nothing was heard of it for a second."""
        said = self.answers[letter][-1:]
        return said[0].status if said and time.monotonic() - said[0].got < 1 else None

    def count(self):
        return sum(len(said) for said in self.answers.values())

    # --- verdicts ---

    def _runs(self, letter):
        """Pairs of answers, one after the other and of one process, that both say `running`."""
        said = self.answers[letter]
        return [(a, b) for a, b in zip(said, said[1:])
                if a.link == b.link and a.status == b.status == "running"]

    def running_twice(self):
        """Moments at which two emulators ran the guest: one said so between two answers `running` of another."""
        found = []
        for letter in self.answers:
            others = sorted(answer for other in self.answers if other != letter for answer in self.answers[other]
                            if answer.status == "running")
            start = 0
            for before, after in self._runs(letter):
                while start < len(others) and others[start].sent < before.got:
                    start += 1
                if start < len(others) and others[start].got <= after.sent:
                    found.append((before, others[start], after))
        return found

    def longest_pause(self):
        """(seconds, begin) of the longest time between the first and the last `running` in which none is proven."""
        spans = sorted((a.sent, b.got) for letter in self.answers for a, b in self._runs(letter))
        if not spans:
            return float("inf"), None
        longest, since, end = 0.0, None, spans[0][1]
        for begin, until in spans[1:]:
            if begin - end > longest:
                longest, since = begin - end, end
            end = max(end, until)
        return longest, since

    def told(self):
        """The story in short: each change of each emulator's status, with seconds from the first answer."""
        said = sorted(answer for some in self.answers.values() for answer in some)
        begin, last, lines = said[0].sent if said else 0, {}, []
        for answer in said:
            if last.get(answer.host) != (answer.link, answer.status):
                last[answer.host] = (answer.link, answer.status)
                lines.append(f"{answer.sent - begin:.2f} {answer.host} {answer.status}")
        return ", ".join(lines)

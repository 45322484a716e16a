"""How the demonstration speaks: lines with the time since it began, waits with a bound, numbers in words."""

import sys
import time


class Failed(Exception):
    """The story cannot go on; the text says what did not happen."""


class Teller:
    def __init__(self):
        self.begin = time.monotonic()
        self.line_open = False

    def elapsed(self):
        return time.monotonic() - self.begin

    def _stamp(self):
        seconds = int(self.elapsed())
        return f"[{seconds // 60}:{seconds % 60:02d}]"

    def chapter(self, text):
        self._close()
        print(f"\n{self._stamp()} {text}\n{'-' * (len(text) + 7)}", flush=True)

    def say(self, text):
        self._close()
        print(f"{self._stamp()} {text}", flush=True)

    def list(self, lines):
        self._close()
        for line in lines:
            print(f"         {line}", flush=True)

    def bar(self, text, share):
        """A line that is written again and again on a terminal; in a file its end only."""
        if not sys.stdout.isatty():
            return
        filled = int(max(0.0, min(1.0, share)) * 30)
        print(f"\r{self._stamp()} [{'#' * filled}{'.' * (30 - filled)}] {text}\033[K", end="", flush=True)
        self.line_open = True

    def _close(self):
        if self.line_open:
            print(flush=True)
        self.line_open = False


def wait_for(condition, seconds, what, every=0.2):
    """Polls until `condition()` is true and returns it; Failed after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)


def percent(share):
    return f"{100 * share:.0f} %"


def cores(value):
    return "?" if value is None else f"{value:.2f}"


def span(milliseconds):
    if milliseconds is None:
        return "not foreseen"
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"

"""How the demonstration speaks: lines with the time since it began, waits with a bound, numbers in words."""

import os
import sys
import time


class Failed(Exception):
    """The story cannot go on; the text says what did not happen."""


class Unheard(Exception):
    """Nobody is there any more to tell the story to."""


def put(text, stream=None, end="\n"):
    """Prints at once; False if nobody reads it, and then all that follows goes nowhere, without a fault."""
    stream = stream or sys.stdout
    try:
        print(text, file=stream, end=end, flush=True)
    except OSError:
        # What is still in the stream's buffer must go somewhere when the process ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        return False
    return True


class Teller:
    """Tells on standard output; Unheard, once, when that is gone."""

    def __init__(self):
        self.begin = time.monotonic()
        self.line_open = False

    def elapsed(self):
        return time.monotonic() - self.begin

    def _stamp(self):
        seconds = int(self.elapsed())
        return f"[{seconds // 60}:{seconds % 60:02d}]"

    @staticmethod
    def _put(text, end="\n"):
        if not put(text, end=end):
            raise Unheard

    def chapter(self, text):
        self._close()
        self._put(f"\n{self._stamp()} {text}\n{'-' * (len(text) + 7)}")

    def say(self, text):
        self._close()
        self._put(f"{self._stamp()} {text}")

    def list(self, lines):
        self._close()
        for line in lines:
            self._put(f"         {line}")

    def bar(self, text, share):
        """A line that is written again and again on a terminal; in a file its end only."""
        if not sys.stdout.isatty():
            return
        filled = int(max(0.0, min(1.0, share)) * 30)
        self._put(f"\r{self._stamp()} [{'#' * filled}{'.' * (30 - filled)}] {text}\033[K", end="")
        self.line_open = True

    def _close(self):
        if self.line_open:
            self.line_open = False
            self._put("")


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


def shortly(milliseconds):
    """When a host is foreseen to run short."""
    if milliseconds is None:
        return "runs short, nobody can say when"
    return f"runs short in {span(milliseconds)}" if milliseconds else "is short already"
